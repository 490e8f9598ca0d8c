; What stops the fox: walls, floors, ceilings and the left edge of the screen.

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
