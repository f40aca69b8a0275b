// See src/arch/context.hpp. AAPCS64.
// A suspended context, from its stack pointer upwards (192 bytes):
//    0 x19 x20   16 x21 x22   32 x23 x24   48 x25 x26   64 x27 x28   80 x29 x30
//   96 d8 d9   112 d10 d11   128 d12 d13   144 d14 d15   160 fpcr   168..191 unused
        .text

        .macro  saved_registers_cfi
        .cfi_offset x19, -192
        .cfi_offset x20, -184
        .cfi_offset x21, -176
        .cfi_offset x22, -168
        .cfi_offset x23, -160
        .cfi_offset x24, -152
        .cfi_offset x25, -144
        .cfi_offset x26, -136
        .cfi_offset x27, -128
        .cfi_offset x28, -120
        .cfi_offset x29, -112
        .cfi_offset x30, -104
        .cfi_offset d8, -96
        .cfi_offset d9, -88
        .cfi_offset d10, -80
        .cfi_offset d11, -72
        .cfi_offset d12, -64
        .cfi_offset d13, -56
        .cfi_offset d14, -48
        .cfi_offset d15, -40
        .endm

        .globl  runnel_switch
        .type   runnel_switch, %function
        .p2align 4
runnel_switch:
        .cfi_startproc
        hint    #34                     // bti c
        mrs     x9, fpcr                // first: it may take long, and is compared with at the end
        sub     sp, sp, #192
        .cfi_def_cfa_offset 192
        stp     x19, x20, [sp, #0]
        stp     x21, x22, [sp, #16]
        stp     x23, x24, [sp, #32]
        stp     x25, x26, [sp, #48]
        stp     x27, x28, [sp, #64]
        stp     x29, x30, [sp, #80]
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        str     x9, [sp, #160]
        saved_registers_cfi
        mov     x10, sp
        stlr    x10, [x0]               // release: whoever sees it sees the saved registers
        mov     sp, x1
        ldr     x10, [sp, #160]
        cmp     x9, x10
        b.eq    1f
        msr     fpcr, x10
1:      mov     x0, x2
        ldp     x19, x20, [sp, #0]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     x29, x30, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        add     sp, sp, #192
        .cfi_def_cfa_offset 0
        ret
        .cfi_endproc
        .size   runnel_switch, .-runnel_switch

// Entered by the return above: x0 = the switch's argument, x19 = entry, x20 = self.
        .globl  runnel_start
        .type   runnel_start, %function
        .p2align 4
runnel_start:
        .cfi_startproc
        .cfi_undefined x30
        hint    #36                     // bti j
        mov     x1, x20
        mov     x29, #0
        mov     x30, #0
        blr     x19
        brk     #1
        .cfi_endproc
        .size   runnel_start, .-runnel_start

// void runnel_walk(void* sp, void (*fn)(void*), void* arg)
        .globl  runnel_walk
        .type   runnel_walk, %function
        .p2align 4
runnel_walk:
        .cfi_startproc
        hint    #34
        stp     x19, x30, [sp, #-16]!
        .cfi_def_cfa_offset 16
        .cfi_offset x19, -16
        .cfi_offset x30, -8
        mov     x19, sp
        sub     sp, x0, #128
        mov     x0, x2
        .cfi_remember_state
        .cfi_def_cfa sp, 128 + 192
        saved_registers_cfi
        blr     x1
        nop
        mov     sp, x19
        .cfi_restore_state
        ldp     x19, x30, [sp], #16
        .cfi_def_cfa_offset 0
        .cfi_restore x19
        .cfi_restore x30
        ret
        .cfi_endproc
        .size   runnel_walk, .-runnel_walk

        .section .note.GNU-stack,"",%progbits
