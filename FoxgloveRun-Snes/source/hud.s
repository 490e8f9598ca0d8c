; Text: the line of figures above the level, and the words of the title.

FONT_LOOK = $2000               ; in front of everything, palette 0

; From now on, text is X bytes that go to address A of the video RAM. Empties the whole text layer.
.proc place_text
        sta text_target
        stx text_size
        stz text_dirty
        lda #VRAM_TEXT_MAP
        sta VMADDL
        lda #FONT_LOOK
        ldx #32 * 32
@clear: sta VMDATAL
        dex
        bne @clear
        jmp clear_text_rows
.endproc

.proc clear_text_rows
        lda #FONT_LOOK
        ldx #190
@clear: sta text,x
        dex
        dex
        bpl @clear
        rts
.endproc

; Write the string at X (bank 0, ends with 0) at offset Y of the text.
.proc write_text
@next:  lda a:0,x
        and #$FF
        beq @done
        sec
        sbc #' '
        ora #FONT_LOOK
        sta text,y
        iny
        iny
        inx
        bra @next
@done:  rts
.endproc

; Write the digit A at offset Y of the text.
.proc write_digit
        clc
        adc #FONT_LOOK + '0' - ' '
        sta text,y
        rts
.endproc

; Write t0 (low) and t1 (high), with as many digits as there are powers from X on, at offset Y.
.proc write_number
@digit: lda #FONT_LOOK + '0' - ' '
        sta t2
@subtract:
        lda t0
        sec
        sbc powers,x
        sta t3
        lda t1
        sbc powers + 2,x
        bcc @small
        sta t1
        lda t3
        sta t0
        inc t2
        bra @subtract
@small: lda t2
        sta text,y
        iny
        iny
        txa
        clc
        adc #4
        tax
        cpx #POWERS_END
        bne @digit
        rts

powers: .dword 100000, 10000, 1000, 100, 10, 1
.endproc
POWERS_6 = 0
POWERS_3 = 12
POWERS_2 = 16
POWERS_END = 24

.proc init_hud
        lda #VRAM_TEXT_MAP + 32
        ldx #64
        jsr place_text
        ldx #.loword(@line)
        ldy #0
        jsr write_text
        lda world
        and #$FF
        ldy #2 * 21
        jsr write_digit
        lda level
        and #$FF
        ldy #2 * 23
        jsr write_digit
        ; [ \ ] and ^ of the font are the coin, the multiplication sign, a leaf and the clock.
        bra draw_hud
@line:  .byte " SCORE         [\   ] .   ^      ", 0
.endproc

.proc draw_hud
        lda score
        sta t0
        lda score + 2
        sta t1
        ldx #POWERS_6
        ldy #2 * 7
        jsr write_number
        lda coins
        and #$FF
        sta t0
        stz t1
        ldx #POWERS_2
        ldy #2 * 17
        jsr write_number
        lda timer
        sta t0
        stz t1
        ldx #POWERS_3
        ldy #2 * 28
        jsr write_number
        lda #1
        sta text_dirty
        rts
.endproc

; Add A points.
.proc add_score
        clc
        adc score
        sta score
        lda score + 2
        adc #0
        sta score + 2
        lda #1
        sta hud_changed
        rts
.endproc
