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

.proc bounce
        lda #.loword(-BOUNCE)
        ldx joy
        bpl @set                ; bit 15 is the jump button
        lda #.loword(-BOUNCE_HELD)
@set:   sta player_vy
        stz player_y_sub
        rts
.endproc
