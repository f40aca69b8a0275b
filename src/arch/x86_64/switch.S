// See src/arch/context.hpp. System V ABI.
// A suspended context, from its stack pointer upwards:
//    0  mxcsr (4 bytes), x87 control word (2)
//    8  r15   16 r14   24 r13   32 r12   40 rbx   48 rbp   56 return address
        .text

        .globl  runnel_switch
        .type   runnel_switch, @function
        .p2align 4
runnel_switch:
        .cfi_startproc
        endbr64
        // First, below the stack pointer where it will stand: the store takes long, and is compared with at the end.
        stmxcsr -56(%rsp)
        fnstcw  -52(%rsp)
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        pushq   %r12
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r12, 0
        pushq   %r13
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r13, 0
        pushq   %r14
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r14, 0
        pushq   %r15
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %r15, 0
        subq    $8, %rsp
        .cfi_adjust_cfa_offset 8
        movl    (%rsp), %r8d
        movzwl  4(%rsp), %r9d
        movq    %rsp, (%rdi)
        movq    %rsi, %rsp
        // Loading control words is slow and they hardly ever differ.
        cmpl    (%rsp), %r8d
        jne     1f
        cmpw    4(%rsp), %r9w
        jne     1f
2:      movq    %rdx, %rax
        leaq    runnel_start(%rip), %rcx
        cmpq    %rcx, 56(%rsp)
        je      3f
        // Returned to rather than jumped to: the processor predicts returns by the calls before them, and most contexts
        // wait at the end of the same calls as the one that is left.
        movq    8(%rsp), %r15
        movq    16(%rsp), %r14
        movq    24(%rsp), %r13
        movq    32(%rsp), %r12
        movq    40(%rsp), %rbx
        movq    48(%rsp), %rbp
        addq    $56, %rsp
        .cfi_remember_state
        .cfi_def_cfa_offset 8
        .cfi_same_value %rbp
        .cfi_same_value %rbx
        .cfi_same_value %r12
        .cfi_same_value %r13
        .cfi_same_value %r14
        .cfi_same_value %r15
        ret
        .cfi_restore_state
        // A new one has no such calls.
3:      movq    32(%rsp), %r12
        movq    40(%rsp), %rbx
        addq    $64, %rsp
        .cfi_remember_state
        .cfi_def_cfa_offset 0
        .cfi_undefined %rip
        jmp     runnel_start
        .cfi_restore_state
1:      ldmxcsr (%rsp)
        fldcw   4(%rsp)
        jmp     2b
        .cfi_endproc
        .size   runnel_switch, .-runnel_switch

// Entered by the jump above: rax = the switch's argument, rbx = entry, r12 = self.
        .globl  runnel_start
        .hidden runnel_start
        .type   runnel_start, @function
        .p2align 4
runnel_start:
        .cfi_startproc
        .cfi_undefined %rip
        endbr64
        movq    %rax, %rdi
        movq    %r12, %rsi
        xorl    %ebp, %ebp
        callq   *%rbx
        ud2
        .cfi_endproc
        .size   runnel_start, .-runnel_start

// void runnel_walk(void* sp, void (*fn)(void*), void* arg)
// Its own stack pointer waits in rbx, which fn preserves. The unwind state at the call says that the caller of
// runnel_walk is the suspended context.
        .globl  runnel_walk
        .type   runnel_walk, @function
        .p2align 4
runnel_walk:
        .cfi_startproc
        endbr64
        pushq   %rbx
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbx, 0
        movq    %rsp, %rbx
        leaq    -128(%rdi), %rsp        // the suspended code's red zone is not in use at a call; keep clear anyway
        pushq   %rdi                    // the suspended stack pointer, found again by the unwinder
        subq    $8, %rsp                // keep the stack 16-byte aligned at the call
        movq    %rdx, %rdi
        // CFA of the walker's caller = suspended sp + 64
        .cfi_remember_state
        .cfi_def_cfa %rsp, 16 + 128 + 64
        .cfi_offset %rip, -8
        .cfi_offset %rbp, -16
        .cfi_offset %rbx, -24
        .cfi_offset %r12, -32
        .cfi_offset %r13, -40
        .cfi_offset %r14, -48
        .cfi_offset %r15, -56
        callq   *%rsi
        nop
        movq    %rbx, %rsp
        .cfi_restore_state
        popq    %rbx
        .cfi_adjust_cfa_offset -8
        .cfi_restore %rbx
        retq
        .cfi_endproc
        .size   runnel_walk, .-runnel_walk

        .section .note.GNU-stack,"",@progbits
