; There is no sound: the sound processor is put to sleep, which also spares emulators its idling.

APUIO0 = $2140
APUIO1 = $2141
APUIO2 = $2142

SOUND_PROGRAM = $0200           ; where it goes in the sound processor's memory
SLEEP         = $EF             ; the whole program

; Talk to the boot program of the sound processor: transfer one byte and run it.
.proc silence
        sep #$20
@wait:  lda APUIO0
        cmp #$AA
        bne @wait
        lda APUIO1
        cmp #$BB
        bne @wait
        rep #$20
        lda #SOUND_PROGRAM
        sta APUIO2
        sep #$20
        lda #1                  ; a transfer follows
        sta APUIO1
        lda #$CC
        sta APUIO0
@begin: cmp APUIO0
        bne @begin
        lda #SLEEP
        sta APUIO1
        stz APUIO0              ; byte number 0
@byte:  lda APUIO0
        bne @byte
        rep #$20
        lda #SOUND_PROGRAM
        sta APUIO2
        sep #$20
        stz APUIO1              ; no transfer follows: run it
        lda #2
        sta APUIO0
        rep #$20
        rts
.endproc
