#!/usr/bin/env python3
"""valgrind follows goroutines: it says nothing of a program without a fault, and finds the fault of one that has it.

Usage: memcheck.py PROGRAM
"""
import shutil
import subprocess
import sys


def memcheck(program, scenario):
    return subprocess.run(["valgrind", "--error-exitcode=9", program, scenario], capture_output=True, text=True, timeout=200)


def main(program):
    if not shutil.which("valgrind"):
        print("valgrind is not installed")
        return 77
    clean, fault = memcheck(program, "clean"), memcheck(program, "fault")
    if clean.returncode != 0 or clean.stdout != "2646700\n" or "switching stacks" in clean.stderr:
        print(clean.returncode, clean.stdout, clean.stderr)
        return 1
    if fault.returncode != 9 or "Invalid read of size 4" not in fault.stderr:
        print(fault.returncode, fault.stdout, fault.stderr)
        return 1
    return 0


sys.exit(main(sys.argv[1]))
