; Coins: in the air and in boxes.

COIN_POINTS = 100
MOST_COINS  = 99

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
        cmp #MOST_COINS
        bcs @full
        inc coins
@full:  rep #$20
        lda #COIN_POINTS
        jmp add_score
.endproc
