; Which picture of the fox is shown.

.proc draw_player
        lda hidden
        beq @shown
        rts
@shown: lda player_x
        sec
        sbc window_column
        sec
        sbc #16
        sta sprite_x
        lda player_y
        sec
        sbc #32 - HALF_HEIGHT
        sta sprite_y
        jsr choose_picture
        ora facing
        sta sprite_look
        jmp add_large_sprite
.endproc

.proc choose_picture
        lda engine_state
        and #$FF
        cmp #ENGINE_DYING
        beq @hurt
        cmp #ENGINE_OVER
        beq @hurt
        lda sliding
        bne @climb
        lda on_ground
        beq @air
        lda player_vx
        beq @stand
        bpl @right
        eor #$FFFF
        inc
@right: clc
        adc stride
        sta stride
        and #$1800              ; the next picture after 8 pixels
        xba
        lsr
        lsr
        tax
        lda run_pictures,x
        rts
@stand: stz stride
        lda frame
        and #$7F
        cmp #6
        bcc @blink
        lda #FOX_STAND
        rts
@blink: lda #FOX_BLINK
        rts
@air:   lda player_vy
        bmi @rise
        lda #FOX_FALL
        rts
@rise:  lda #FOX_JUMP
        rts
@climb: lda #FOX_CLIMB
        rts
@hurt:  lda #FOX_HURT
        rts
.endproc

run_pictures:
        .word FOX_RUN_1, FOX_RUN_2, FOX_RUN_3, FOX_RUN_4
