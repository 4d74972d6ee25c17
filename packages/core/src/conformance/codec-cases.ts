import type { Codec } from '../codec.ts'
import { type ConformanceCase, expectThat } from './case.ts'

/** What every codec promises about bytes from the wire. */
export function codecCases(codec: Codec, samples: readonly unknown[]): readonly ConformanceCase[] {
  const refusesOrReads = (bytes: Uint8Array) => {
    try {
      codec.decode(bytes)
    } catch (error) {
      expectThat(
        error instanceof Error && (error as { code?: string }).code === 'EVT_CODEC_DECODE',
        'bad bytes are a typed error',
      )
    }
  }
  return [
    {
      name: 'a payload survives encoding and decoding',
      async run() {
        for (const sample of samples) {
          const again = codec.decode(codec.encode(sample))
          expectThat(JSON.stringify(again) === JSON.stringify(sample), 'a payload survives the trip')
        }
      },
    },
    {
      name: 'truncated and damaged bytes are read or refused with a typed error, and change no prototype',
      async run() {
        for (const sample of samples) {
          const bytes = codec.encode(sample)
          for (let length = 0; length < Math.min(bytes.length, 300); length += 1) refusesOrReads(bytes.slice(0, length))
          for (let index = 0; index < Math.min(bytes.length, 300); index += 1) {
            const damaged = Uint8Array.from(bytes)
            damaged[index] = (damaged[index]! ^ 0x55) & 0xff
            refusesOrReads(damaged)
          }
        }
        expectThat(Object.keys(Object.prototype).length === 0, 'decoding changes no prototype')
      },
    },
  ]
}
