; The fox: running with inertia, jumping higher the longer the button is held, walls and floors.
; Speeds are in 256ths of a pixel per frame. player_x, player_y is the middle of a box of
; 12 x 20 pixels.

HALF_WIDTH  = 6
HALF_HEIGHT = 10

MAX_SPEED    = $0240
ACCELERATION = $0012
FRICTION     = $000E
BRAKING      = $0024            ; when the other direction is pressed
JUMP         = $0460
JUMP_FAST    = $04A0            ; from a run
FAST         = $0180
RISING       = $0022            ; gravity while going up with the button held
FALLING      = $0058            ; gravity otherwise
MAX_FALL     = $0440
BOUNCE       = $0300            ; off an enemy
BOUNCE_HELD  = $0440            ; the same with the jump button held
COYOTE_TIME  = 5
JUMP_BUFFER  = 6
PIT          = 236              ; the fox is lost below this row

; Put the fox at the start of the level at X.
.proc init_player
        lda a:8,x
        sta player_x
        lda a:10,x
        sta player_y
        stz player_x_sub
        stz player_y_sub
        stz player_vx
        stz player_vy
        stz facing
        stz coyote
        stz jump_wanted
        stz stride
        stz hidden
        lda #1
        sta on_ground
        jmp export_position
.endproc

.proc run_player
        inc state_frames
        lda engine_state
        and #$FF
        asl
        tax
        jsr (states,x)
        ; Fall through: the agent reads the position after the move.
.endproc
.proc export_position
        lda player_x
        sta player_column
        lda player_y
        bpl @below_top
        lda #0
@below_top:
        sta player_row
        rts
.endproc

states: .word .loword(control), .loword(dying), .loword(completed), .loword(life_over)

.proc control
        jsr steer
        jsr jump
.endproc
; Move by the speeds and meet walls, floors, coins, the flag and pits.
.proc move
        jsr move_across
        jsr move_down
        lda engine_state
        and #$FF
        bne @done
        jsr collect_coins
        lda player_x
        clc
        adc #HALF_WIDTH
        cmp flag_column
        bcc @no_flag
        jmp reach_flag
@no_flag:
        lda player_y
        bmi @done
        cmp #PIT
        bcc @done
        jmp die
@done:  rts
.endproc

.proc steer
        lda joy
        bit #BUTTON_RIGHT
        bne @right
        bit #BUTTON_LEFT
        bne @left
        lda on_ground
        beq @done
        lda player_vx
        bmi @slow_left
        sec
        sbc #FRICTION
        bpl @set
        lda #0
        bra @set
@slow_left:
        clc
        adc #FRICTION
        bmi @set
        lda #0
@set:   sta player_vx
@done:  rts

@right: stz facing
        lda player_vx
        bpl @faster_right
        clc
        adc #BRAKING
        bra @set
@faster_right:
        clc
        adc #ACCELERATION
        cmp #MAX_SPEED
        bcc @set
        lda #MAX_SPEED
        bra @set

@left:  lda #SPRITE_FLIP
        sta facing
        lda player_vx
        beq @faster_left
        bmi @faster_left
        sec
        sbc #BRAKING
        bra @set
@faster_left:
        sec
        sbc #ACCELERATION
        cmp #.loword(-MAX_SPEED)
        bcs @set
        lda #.loword(-MAX_SPEED)
        bra @set
.endproc

.proc jump
        lda pressed
        and #BUTTON_B
        beq @not_pressed
        lda #JUMP_BUFFER
        sta jump_wanted
@not_pressed:
        lda on_ground
        beq @in_air
        lda #COYOTE_TIME
        sta coyote
@in_air:
        lda jump_wanted
        beq @gravity
        dec jump_wanted
        lda coyote
        beq @gravity
        stz jump_wanted
        stz coyote
        stz on_ground
        ldy #.loword(-JUMP)
        lda player_vx
        bpl @speed
        eor #$FFFF
@speed: cmp #FAST
        bcc @take_off
        ldy #.loword(-JUMP_FAST)
@take_off:
        sty player_vy
        rts
@gravity:
        lda coyote
        beq apply_gravity
        dec coyote
.endproc
.proc apply_gravity
        ldy #FALLING
        lda player_vy
        bpl @add
        lda joy
        and #BUTTON_B
        beq @add
        ldy #RISING
@add:   tya
        clc
        adc player_vy
        bmi @set
        cmp #MAX_FALL
        bcc @set
        lda #MAX_FALL
@set:   sta player_vy
        rts
.endproc

; Split the speed A plus the fraction X into whole pixels (A, signed) and a new fraction (X).
.proc whole_pixels
        stx t0
        clc
        adc t0
        pha
        and #$00FF
        tax
        pla
        xba
        and #$00FF
        cmp #$0080
        bcc @done
        ora #$FF00
@done:  rts
.endproc

.proc move_across
        lda player_vx
        ldx player_x_sub
        jsr whole_pixels
        stx player_x_sub
        clc
        adc player_x
        sta player_x
        ; The left edge of the screen is a wall, and so is the end of the level.
        lda window_column
        clc
        adc #HALF_WIDTH + 2
        cmp player_x
        bcc @no_edge
        beq @no_edge
        sta player_x
        bra @stop
@no_edge:
        lda player_vx
        beq @done
        bmi @left
        lda player_x
        clc
        adc #HALF_WIDTH - 1
        jsr wall_at
        bcc @done
        lda player_x
        clc
        adc #HALF_WIDTH - 1
        and #$FFF0
        sec
        sbc #HALF_WIDTH
        bra @push
@left:  lda player_x
        sec
        sbc #HALF_WIDTH
        jsr wall_at
        bcc @done
        lda player_x
        sec
        sbc #HALF_WIDTH
        ora #$000F
        clc
        adc #HALF_WIDTH + 1
@push:  sta player_x
@stop:  stz player_vx
        stz player_x_sub
@done:  rts
.endproc

; Set the carry if column A of the level is solid anywhere along the height of the fox.
.proc wall_at
        sta t1
        lda player_y
        sec
        sbc #HALF_HEIGHT - 1
        jsr solid_at
        bcs @done
        ldy player_y
        jsr solid_at_y
        bcs @done
        lda player_y
        clc
        adc #HALF_HEIGHT - 2
        jsr solid_at
@done:  rts
.endproc

; Set the carry if the tile at column t1, row A is solid.
.proc solid_at
        tay
.endproc
.proc solid_at_y
        ldx t1
        jsr tile_at
        cmp #TILE_SOLID
        beq @solid
        cmp #TILE_BOX
        beq @solid
        clc
@solid: rts
.endproc

.proc move_down
        lda player_y
        clc
        adc #HALF_HEIGHT
        sta old_feet
        lda player_vy
        ldx player_y_sub
        jsr whole_pixels
        stx player_y_sub
        clc
        adc player_y
        sta player_y
        stz on_ground
        lda player_vy
        bmi @up
        lda player_x
        sec
        sbc #HALF_WIDTH - 1
        jsr floor_at
        bcs @land
        lda player_x
        clc
        adc #HALF_WIDTH - 2
        jsr floor_at
        bcs @land
        rts
@land:  lda player_y
        clc
        adc #HALF_HEIGHT
        and #$FFF0
        sec
        sbc #HALF_HEIGHT
        sta player_y
        stz player_y_sub
        stz player_vy
        inc on_ground
        rts

@up:    ; The middle of the head first: it decides which box is hit.
        lda player_x
        jsr ceiling_at
        bcs @hit
        lda player_x
        sec
        sbc #HALF_WIDTH - 1
        jsr ceiling_at
        bcs @hit
        lda player_x
        clc
        adc #HALF_WIDTH - 2
        jsr ceiling_at
        bcs @hit
        rts
@hit:   pha                     ; what was hit
        lda player_y
        sec
        sbc #HALF_HEIGHT
        ora #$000F
        clc
        adc #HALF_HEIGHT + 1
        sta player_y
        stz player_y_sub
        stz player_vy
        pla
        cmp #TILE_BOX
        bne @done
        jmp open_box
@done:  rts
.endproc

; Set the carry if there is a floor under the fox at column A.
.proc floor_at
        sta t1
        lda player_y
        clc
        adc #HALF_HEIGHT
        jsr solid_at
        bcs @done
        cmp #TILE_ONE_WAY
        bne @none
        ; It carries only what was above it before.
        lda player_y
        clc
        adc #HALF_HEIGHT
        and #$FFF0
        sec
        sbc old_feet
        bpl @done               ; the carry is set or the feet were exactly there
@none:  clc
@done:  rts
.endproc

; Set the carry and give the kind of the tile in A if it stops the fox's head at column A.
.proc ceiling_at
        sta t1
        lda player_y
        sec
        sbc #HALF_HEIGHT
        jmp solid_at
.endproc

; Give the coin of the box that tile_at has just found.
.proc open_box
        lda tile_index
        and #$FFF0
        clc
        adc #8
        sta t2
        lda tile_index
        and #$000F
        asl
        asl
        asl
        asl
        sec
        sbc #8
        sta t3
        lda #EFFECT_COIN
        jsr add_effect
        lda #METATILE_BOX_USED
        jsr change_tile
        bra take_coin
.endproc

; Four points of the fox's box take the coins they touch.
.proc collect_coins
        ldx #6
@point: phx
        lda player_x
        clc
        adc across,x
        pha
        lda player_y
        clc
        adc down,x
        tay
        plx
        jsr tile_at
        cmp #TILE_COIN
        bne @next
        lda tile_index
        and #$FFF0
        clc
        adc #8
        sta t2
        lda tile_index
        and #$000F
        asl
        asl
        asl
        asl
        clc
        adc #8
        sta t3
        lda #EFFECT_SPARKLE
        jsr add_effect
        lda #0
        jsr change_tile
        jsr take_coin
@next:  plx
        dex
        dex
        bpl @point
        rts
across: .word .loword(-5), 4, .loword(-5), 4
down:   .word .loword(-6), .loword(-6), 7, 7
.endproc

.proc take_coin
        sep #$20
        lda coins
        cmp #99
        bcs @full
        inc coins
@full:  rep #$20
        lda #COIN_POINTS
        jmp add_score
.endproc

COIN_POINTS = 100

.proc bounce
        lda #.loword(-BOUNCE)
        ldx joy
        bpl @set                ; bit 15 is the jump button
        lda #.loword(-BOUNCE_HELD)
@set:   sta player_vy
        stz player_y_sub
        rts
.endproc

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
