; Losing the fox, to an enemy, a pit or the timer.

.proc die
        sep #$20
        lda #ENGINE_DYING
        sta engine_state
        rep #$20
        stz state_frames
        stz player_vx
        lda #.loword(-$0400)
        sta player_vy
        rts
.endproc

; Stand still for a moment, then jump up and fall through everything.
.proc dying
        lda state_frames
        cmp #20
        bcc @done
        cmp #100
        bcs @over
        jsr apply_gravity
        lda player_vy
        ldx player_y_sub
        jsr whole_pixels
        stx player_y_sub
        clc
        adc player_y
        bmi @set
        cmp #ROWS + 64
        bcc @set
        lda #ROWS + 64
@set:   sta player_y
@done:  rts
@over:  sep #$20
        lda #ENGINE_OVER
        sta engine_state
        stz mode
        rep #$20
        lda #SCENE_TITLE
        jmp go_to_scene
.endproc

.proc life_over
        rts
.endproc
