; From power-on to the main loop.

.proc reset
        sei
        clc
        xce
        rep #$38                ; 16-bit registers, binary arithmetic
        ldx #$1FFF
        txs
        lda #0
        tcd
        phk
        plb

        sep #$20
        lda #$8F
        sta INIDISP
        stz NMITIMEN
        stz HDMAEN
        ; All picture registers to 0. Those that are written twice get two zeros.
        ldx #$2101
@picture:
        stz a:0,x
        stz a:0,x
        inx
        cpx #$2134
        bne @picture
        lda #VMAIN_ROWS
        sta VMAIN
        lda #$30                ; no color math
        sta $2130
        lda #$E0
        sta $2132
        rep #$20

        ; Nothing may depend on what the memories held at power-on.
        jsr clear_work_ram
        jsr clear_video_ram
        jsr silence
        jsr setup_video

        sep #$20
        lda #1
        sta start_world
        sta start_level
        rep #$20
        jsr load_title
        jmp main_loop
.endproc

; Fill bank $7E and $7F with zeros. The stack is overwritten, too: the return address is kept.
.proc clear_work_ram
        plx
        stz WMADDL
        sep #$20
        stz WMADDH
        lda #$08                ; one byte to one register, fixed source
        sta DMAP0
        lda #<WMDATA
        sta BBAD0
        lda #^zeros
        sta A1B0
        rep #$20
        lda #.loword(zeros)
        sta A1T0L
        stz DAS0L               ; 0 stands for 65,536 bytes
        sep #$20
        lda #1
        sta MDMAEN
        sta MDMAEN
        rep #$20
        phx
        rts
.endproc

.proc clear_video_ram
        stz VMADDL
        lda #$1809              ; words to VMDATA, fixed source
        sta DMAP0
        lda #.loword(zeros)
        sta A1T0L
        stz DAS0L
        sep #$20
        lda #^zeros
        sta A1B0
        lda #1
        sta MDMAEN
        rep #$20
        rts
.endproc

zeros:  .word 0

; An interrupt that nobody asked for.
ignore: rti
