; The cartridge's header and the vectors. build.sh writes the checksum.

.segment "HEADER"
        .byte "  "                      ; maker
        .byte "FOXG"                    ; game
        .res 7, 0
        .byte 0, 0, 0
        .byte "FOXGLOVE RUN         "   ; 21 characters
        .byte $20                       ; LoROM, slow
        .byte $00                       ; ROM only
        .byte $07                       ; 128 KiB
        .byte $00                       ; no save RAM
        .byte $01                       ; North America: 60 frames per second
        .byte $33                       ; the maker's code is above
        .byte $00                       ; version
        .word $FFFF, $0000              ; checksum's complement, checksum

        ; Native mode.
        .word 0, 0
        .word .loword(ignore), .loword(ignore), .loword(ignore)
        .word .loword(interrupt), 0, .loword(ignore)
        ; Emulation mode.
        .word 0, 0
        .word .loword(ignore), 0, .loword(ignore)
        .word .loword(ignore), .loword(reset), .loword(ignore)
