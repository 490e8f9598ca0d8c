; A level: loading it, and one frame of it.

ENGINE_CONTROL   = 0
ENGINE_DYING     = 1
ENGINE_COMPLETED = 2
ENGINE_OVER      = 3

TIMER_START  = 300
TIMER_FRAMES = 24               ; frames in a unit of the timer

; Load the level of level_index.
.proc load_level
        jsr screen_off
        sep #$20
        lda #$19                ; mode 1, text in front, BG1 with 16 x 16 tiles
        sta BGMODE
        lda level_index
        lsr
        inc
        sta world
        sta start_world         ; START on the title tries the last level again
        lda level_index
        and #1
        inc
        sta level
        sta start_level
        stz mode
        stz engine_state
        rep #$20
        lda level_index
        asl
        tax
        lda levels,x
        tax
        phx
        jsr read_level
        jsr show_theme
        plx
        jsr init_player

        stz frame
        stz changes
        stz column_ready
        stz window_column
        stz state_frames
        stz hud_changed
        stz sliding
        lda #TIMER_START
        sta timer
        lda #TIMER_FRAMES
        sta timer_frames
        jsr clear_enemies
        jsr clear_effects
        jsr hide_sprites
        jsr init_hud
        jsr draw_first_columns
        jsr appear_enemies
        jsr draw_level_sprites
        lda #SCENE_LEVEL
        sta scene
        jmp screen_on
.endproc

; Copy the level at X: map, bank, size, theme, start column and row, flag column and row, enemies.
.proc read_level
        lda #level_map
        sta WMADDL
        sep #$20
        stz WMADDH
        rep #$20
        lda #$8000              ; bytes to WMDATA
        sta DMAP0
        lda a:0,x
        sta A1T0L
        lda a:4,x
        sta DAS0L
        sta level_width         ; 16 bytes in a column of 16 pixels
        lda a:6,x
        sta level_theme
        lda a:12,x
        sta flag_column
        lda a:14,x
        sta cloth_row
        lda a:16,x
        sta enemy_list
        sep #$20
        lda a:2,x
        sta A1B0
        lda #1
        sta MDMAEN
        rep #$20
        rts
.endproc

.proc show_theme
        lda level_theme
        asl
        tax
        lda theme_skies,x
        pha
        lda theme_sky_banks,x
        pha
        lda theme_uploads,x
        tax
        jsr upload_all
        plx
        pla
        jmp set_sky
.endproc

.proc draw_first_columns
        sep #$20
        lda #VMAIN_COLUMNS
        sta VMAIN
        rep #$20
        stz drawn_columns
@next:  jsr prepare_column
        lda column_target
        sta VMADDL
        ldx #0
@word:  lda column_words,x
        sta VMDATAL
        inx
        inx
        cpx #28
        bne @word
        lda drawn_columns
        cmp #COLUMNS_AHEAD
        bne @next
        sep #$20
        lda #VMAIN_ROWS
        sta VMAIN
        rep #$20
        rts
.endproc

COLUMNS_AHEAD = 19              ; columns drawn from the screen's left edge on

.proc run_level
        lda mode
        and #$FF
        beq @done               ; fading in or out
        jsr run_player
        jsr scroll
        jsr appear_enemies
        jsr run_enemies
        jsr run_effects
        jsr count_down
        jsr draw_level_sprites
        lda hud_changed
        beq @done
        stz hud_changed
        jmp draw_hud
@done:  rts
.endproc

; The screen follows the fox, forward only.
.proc scroll
        lda player_x
        sec
        sbc #SCROLL_POINT
        bmi @place
        cmp window_column
        bcc @place
        sta t0
        lda level_width
        sec
        sbc #256
        cmp t0
        bcc @set                ; the end of the level is on the screen
        lda t0
@set:   sta window_column
        ; At most one column comes in per frame, as the fox is slower than 16 pixels per frame.
        lsr
        lsr
        lsr
        lsr
        clc
        adc #COLUMNS_AHEAD
        cmp drawn_columns
        bcc @place
        beq @place
        jsr prepare_column
        lda #1
        sta column_ready
@place: rts
.endproc

SCROLL_POINT = 112              ; the fox's place on the screen while it scrolls

.proc count_down
        lda engine_state
        and #$FF
        bne @done
        dec timer_frames
        bne @done
        lda #TIMER_FRAMES
        sta timer_frames
        lda #1
        sta hud_changed
        dec timer
        bne @done
        jmp die
@done:  rts
.endproc

.proc draw_level_sprites
        jsr begin_sprites
        jsr draw_player
        jsr draw_effects
        jsr draw_enemies
        jsr draw_flag
        jmp end_sprites
.endproc
