; The title screen: the name of the game, a running fox, the choice of the level.

TITLE_FOX_X = 116
TITLE_FOX_Y = 168
TITLE_TEXT  = VRAM_TEXT_MAP + 32 * 16

.proc load_title
        jsr screen_off
        ldx #.loword(title_uploads)
        jsr upload_all
        lda #TITLE_TEXT
        ldx #192
        jsr place_text
        lda #.loword(title_sky)
        ldx #^title_sky
        jsr set_sky
        sep #$20
        lda #$09                ; mode 1, text in front, small tiles
        sta BGMODE
        stz mode
        stz engine_state
        rep #$20
        stz window_column
        stz frame
        stz changes
        stz column_ready
        jsr hide_sprites
        lda #SCENE_TITLE
        sta scene
        jmp screen_on
.endproc

.proc run_title
        jsr start_index
        sta level_index
        lda fade
        bmi @draw               ; a level has been chosen
        lda pressed
        and #BUTTON_RIGHT
        beq @not_right
        lda level_index
        inc
        jsr choose
@not_right:
        lda pressed
        and #BUTTON_LEFT
        beq @not_left
        lda level_index
        dec
        jsr choose
@not_left:
        lda pressed
        and #BUTTON_START
        beq @draw
        jsr start_index
        sta level_index
        stz score
        stz score + 2
        sep #$20
        stz coins
        rep #$20
        lda #SCENE_LEVEL
        jsr go_to_scene
@draw:
        jsr write_title_text
        jsr begin_sprites
        lda #TITLE_FOX_X
        sta sprite_x
        lda #TITLE_FOX_Y
        sta sprite_y
        lda frame
        lsr
        lsr
        and #3
        asl
        tax
        lda run_pictures,x
        sta sprite_look
        jsr add_large_sprite
        jmp end_sprites
.endproc

; Give the index of the level that start_world and start_level ask for, 0 if there is none.
.proc start_index
        lda start_world
        and #$FF
        dec
        cmp #WORLDS
        bcs @none
        asl
        sta t0
        lda start_level
        and #$FF
        dec
        cmp #2
        bcs @none
        adc t0
        rts
@none:  lda #0
        rts
.endproc

; Ask for the level of index A, if there is one.
.proc choose
        cmp #LEVELS
        bcs @done
        sta level_index
        sep #$20
        pha
        lsr
        inc
        sta start_world
        pla
        and #1
        inc
        sta start_level
        rep #$20
@done:  rts
.endproc

; "PRESS START" blinks above the name of the level.
.proc write_title_text
        jsr clear_text_rows
        lda frame
        and #$20
        bne @off
        ldx #.loword(@start)
        ldy #2 * 10
        jsr write_text
@off:   ldx #.loword(@choice)
        ldy #128 + 2 * 8
        jsr write_text
        lda start_world
        and #$FF
        ldy #128 + 2 * 17
        jsr write_digit
        lda start_level
        and #$FF
        ldy #128 + 2 * 19
        jsr write_digit
        lda #1
        sta text_dirty
        rts
@start: .byte "PRESS START", 0
@choice:
        .byte "<  LEVEL  .   >", 0
.endproc
