; The flag: sliding down its pole, running off, the bonus for the time that is left.

SLIDE_SPEED  = 2
POLE_FOOT    = 176              ; row of the top of the block that the pole stands on
DEN_DISTANCE = 112              ; columns from the pole to the middle of the den
RUN_OFF      = 100              ; frames
TIME_POINTS  = 10               ; for each unit of the timer
FLAG_POINTS  = 20               ; for each pixel above the pole's foot, rounded to 16 pixels

.proc reach_flag
        sep #$20
        lda #ENGINE_COMPLETED
        sta engine_state
        lda #MODE_COMPLETED
        sta mode
        rep #$20
        stz state_frames
        stz player_vx
        stz player_vy
        stz player_x_sub
        stz player_y_sub
        stz facing
        lda #1
        sta sliding
        lda flag_column
        sec
        sbc #HALF_WIDTH
        sta player_x
        ; The higher on the pole, the more points.
        lda player_y
        bpl @on_screen
        lda #0
@on_screen:
        eor #$FFFF
        sec
        adc #POLE_FOOT
        bpl @above
        lda #0
@above: and #$FFF0
        sta t0
        asl
        asl
        adc t0
        asl
        asl                     ; times 20
        jmp add_score
.endproc

.proc completed
        lda sliding
        beq @run
        ; The cloth and the fox slide down together.
        lda cloth_row
        cmp #POLE_FOOT - 20
        bcs @cloth_down
        adc #SLIDE_SPEED
        sta cloth_row
@cloth_down:
        lda player_y
        bmi @slide
        cmp #POLE_FOOT - HALF_HEIGHT
        bcs @fox_down
@slide: clc
        adc #SLIDE_SPEED
        sta player_y
        rts
@fox_down:
        lda cloth_row
        cmp #POLE_FOOT - 20
        bcc @done
        ; Hop off to the right.
        stz sliding
        stz state_frames
        lda #.loword(-$0280)
        sta player_vy
        lda #$0180
        sta player_vx
        lda flag_column
        clc
        adc #HALF_WIDTH + 2
        sta player_x
@done:  rts

@run:   lda state_frames
        cmp #RUN_OFF
        bcs @bonus
        lda flag_column
        clc
        adc #DEN_DISTANCE
        cmp player_x
        bcc @home
        lda #$0180
        sta player_vx
        stz joy
        jsr apply_gravity
        jmp move
@home:  inc hidden
        rts
@bonus: stz player_vx
        lda timer
        beq @leave
        ; Five units of time in a frame.
        ldx #5
@unit:  phx
        lda #TIME_POINTS
        jsr add_score
        plx
        dec timer
        beq @counted
        dex
        bne @unit
@counted:
        stz state_frames
        lda #RUN_OFF
        sta state_frames
        rts
@leave: lda state_frames
        cmp #RUN_OFF + 60
        bne @done
        ; On to the next level, or back to the title after the last.
        ldx level_index
        inx
        cpx #LEVELS
        bcs @title
        stx level_index
        lda #SCENE_LEVEL
        jmp go_to_scene
@title: sep #$20
        lda #1
        sta start_world
        sta start_level
        rep #$20
        lda #SCENE_TITLE
        jmp go_to_scene
.endproc

; The cloth is a sprite, as it slides down.
.proc draw_flag
        lda flag_column
        sec
        sbc window_column
        inc
        sta sprite_x
        cmp #256
        bcs @done
        lda cloth_row
        sta sprite_y
        lda frame
        and #$10
        beq @first
        lda #THING_FLAG_2
        bra @set
@first: lda #THING_FLAG_1
@set:   sta sprite_look
        jmp add_sprite
@done:  rts
.endproc
