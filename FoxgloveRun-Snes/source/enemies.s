; Enemies: snails turn at walls and fall off edges, beetles are faster and turn at edges, too, moths
; fly to the left in waves.
; enemy_x, enemy_y is the middle of a box of 14 x 16 pixels.

ENEMY_NONE     = 0
ENEMY_WALKING  = 2
ENEMY_SQUASHED = 4

KIND_SNAIL  = 0
KIND_BEETLE = 2
KIND_MOTH   = 4

ENEMY_HALF      = 7             ; half its width
ENEMY_REACH     = 12            ; columns between the middles at which the fox is touched
ENEMY_REACH_UP  = 15            ; rows, the same
SQUASHED_FRAMES = 30
STOMP_POINTS    = 200
APPEAR_AHEAD    = 256 + 16      ; columns right of the screen's left edge

.proc clear_enemies
        ldx #ENEMY_SLOTS * 2 - 2
@clear: stz enemy_state,x
        dex
        dex
        bpl @clear
        rts
.endproc

; Start the enemies whose place the screen has come near to.
; The list: column, row, kind; $FFFF ends it.
.proc appear_enemies
        lda window_column
        clc
        adc #APPEAR_AHEAD
        sta t0
@next:  ldy enemy_list
        lda a:0,y
        cmp t0
        bcs @done
        ldx #ENEMY_SLOTS * 2 - 2
@find:  lda enemy_state,x
        beq @free
        dex
        dex
        bpl @find
        bra @taken              ; no slot: this one stays away
@free:  lda #ENEMY_WALKING
        sta enemy_state,x
        lda a:0,y
        sta enemy_x,x
        lda a:2,y
        sta enemy_y,x
        stz enemy_x_sub,x
        sta enemy_height,x
        stz enemy_vy,x
        stz enemy_frames,x
        lda a:4,y
        sta enemy_kind,x
        tay
        lda speeds,y
        sta enemy_vx,x
@taken: lda enemy_list
        clc
        adc #6
        sta enemy_list
        bra @next
@done:  rts

speeds: .word .loword(-$0078), .loword(-$00B0), .loword(-$00A0)
.endproc

.proc run_enemies
        ldx #ENEMY_SLOTS * 2 - 2
@slot:  lda enemy_state,x
        beq @next
        phx
        cmp #ENEMY_SQUASHED
        beq @squashed
        jsr walk
        plx
        phx
        jsr meet_player
        bra @done
@squashed:
        dec enemy_frames,x
        bne @done
        stz enemy_state,x
@done:  plx
@next:  dex
        dex
        bpl @slot
        rts
.endproc

; Move the enemy in slot X.
.proc walk
        stx slot
        inc enemy_frames,x
        ; Gone behind the left edge of the screen or into a pit?
        lda enemy_x,x
        clc
        adc #32
        cmp window_column
        bcc @gone
        lda enemy_y,x
        cmp #ROWS + 16
        bcc @there
@gone:  stz enemy_state,x
        rts
@there:

        lda enemy_x_sub,x
        tay
        lda enemy_vx,x
        tyx
        jsr whole_pixels
        txy
        ldx slot
        pha
        tya
        sta enemy_x_sub,x
        pla
        clc
        adc enemy_x,x
        sta enemy_x,x
        lda enemy_kind,x
        cmp #KIND_MOTH
        beq fly

        jsr ahead
        ldx slot
        ldy enemy_y,x
        jsr solid_at_y
        bcc @no_wall
        jsr turn
@no_wall:

        ; Gravity, with a floor under its middle.
        ldx slot
        lda enemy_vy,x
        clc
        adc #FALLING
        cmp #MAX_FALL
        bcc @fall
        lda #MAX_FALL
@fall:  sta enemy_vy,x
        xba
        and #$00FF
        clc
        adc enemy_y,x
        sta enemy_y,x
        lda enemy_x,x
        sta t1
        lda enemy_y,x
        clc
        adc #8
        jsr carries
        bcc @done
        ldx slot
        lda enemy_y,x
        and #$FFF0
        clc
        adc #8
        sta enemy_y,x
        stz enemy_vy,x
        lda enemy_kind,x
        cmp #KIND_BEETLE
        bne @done
        jsr ahead
        ldx slot
        lda enemy_y,x
        clc
        adc #8
        jsr carries
        bcs @done
        jmp turn
@done:  rts
.endproc

; The wave of the moth in slot X: 128 frames.
.proc fly
        lda enemy_frames,x
        lsr
        and #$3E
        tay
        lda wave,y
        clc
        adc enemy_height,x
        sta enemy_y,x
        rts

wave:   .word 0, 4, 7, 11, 14, 16, 18, 19, 20, 19, 18, 16, 14, 11, 7, 4
        .word 0, .loword(-4), .loword(-7), .loword(-11), .loword(-14), .loword(-16), .loword(-18)
        .word .loword(-19), .loword(-20), .loword(-19), .loword(-18), .loword(-16), .loword(-14)
        .word .loword(-11), .loword(-7), .loword(-4)
.endproc

; Put the column in front of the enemy in t1.
.proc ahead
        ldx slot
        lda enemy_vx,x
        bmi @left
        lda #ENEMY_HALF
        bra @add
@left:  lda #.loword(-ENEMY_HALF)
@add:   clc
        adc enemy_x,x
        sta t1
        rts
.endproc

; Set the carry if an enemy can stand on the tile at column t1, row A.
.proc carries
        jsr solid_at
        bcs @done
        cmp #TILE_ONE_WAY
        beq @done
        clc
@done:  rts
.endproc

; Turn the enemy of the slot around, one step back.
.proc turn
        ldx slot
        lda enemy_vx,x
        eor #$FFFF
        inc
        sta enemy_vx,x
        bmi @left
        inc enemy_x,x
        rts
@left:  dec enemy_x,x
        rts
.endproc

; Does the enemy in slot X touch the fox? From above it is squashed, else the fox dies.
.proc meet_player
        lda enemy_state,x
        beq @done
        lda engine_state
        and #$FF
        bne @done
        lda enemy_x,x
        sec
        sbc player_x
        clc
        adc #ENEMY_REACH
        cmp #2 * ENEMY_REACH + 1
        bcs @done
        lda enemy_y,x
        sec
        sbc player_y
        sta t0
        clc
        adc #ENEMY_REACH_UP
        cmp #2 * ENEMY_REACH_UP + 1
        bcs @done
        ; The fox must be falling, and its middle well above the enemy's.
        lda player_vy
        bmi @die
        beq @die
        lda t0
        bmi @die
        cmp #6
        bcc @die
        lda #ENEMY_SQUASHED
        sta enemy_state,x
        lda #SQUASHED_FRAMES
        sta enemy_frames,x
        lda enemy_x,x
        sta t2
        lda enemy_y,x
        sec
        sbc #16
        sta t3
        lda #EFFECT_POINTS
        jsr add_effect
        lda #STOMP_POINTS
        jsr add_score
        jmp bounce
@die:   jmp die
@done:  rts
.endproc

.proc draw_enemies
        ldx #ENEMY_SLOTS * 2 - 2
@slot:  lda enemy_state,x
        beq @next
        phx
        lda enemy_x,x
        sec
        sbc window_column
        sec
        sbc #8
        sta sprite_x
        lda enemy_y,x
        sec
        sbc #8
        sta sprite_y
        ; Drawn facing left.
        lda enemy_vx,x
        bmi @left
        lda #SPRITE_FLIP
        bra @flip
@left:  lda #0
@flip:  sta sprite_look
        lda enemy_kind,x
        asl
        asl
        tay                     ; four pictures of each kind
        lda enemy_state,x
        cmp #ENEMY_SQUASHED
        beq @squashed
        lda enemy_frames,x
        and #8
        beq @picture
        iny
        iny
        bra @picture
@squashed:
        iny
        iny
        iny
        iny
@picture:
        lda pictures,y
        ora sprite_look
        sta sprite_look
        jsr add_sprite
        plx
@next:  dex
        dex
        bpl @slot
        rts

pictures:
        .word SNAIL_1, SNAIL_2, SNAIL_SQUASHED, SNAIL_SQUASHED
        .word BEETLE_1, BEETLE_2, BEETLE_SQUASHED, BEETLE_SQUASHED
        .word MOTH_1, MOTH_2, MOTH_SQUASHED, MOTH_SQUASHED
.endproc
