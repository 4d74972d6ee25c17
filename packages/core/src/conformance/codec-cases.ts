import type { Codec } from '../codec.ts'
import { isEvtError } from '../errors.ts'
import { type ConformanceCase, expectThat } from './case.ts'
import { damagedBytes, type FuzzOptions } from './damaged-bytes.ts'
import { sameValue } from './same-value.ts'

const maxDecodeMicros = 1_000_000
const mebibyte = 1_024 * 1_024

/**
 * What every codec promises about bytes from the wire. The samples hold what the codec supports: text beyond ASCII, large
 * numbers, undefined fields, and bytes, dates and bigints where it can carry them. `fuzz` sets how many damaged payloads
 * are tried, by default 2,000, and their seed.
 */
export function codecCases(
  codec: Codec,
  samples: readonly unknown[],
  fuzz: FuzzOptions = {},
): readonly ConformanceCase[] {
  return [
    {
      name: 'a payload survives encoding and decoding',
      async run() {
        for (const sample of samples)
          expectThat(sameValue(codec.decode(codec.encode(sample)), sample), 'a payload survives the trip')
      },
    },
    {
      name: 'encoded bytes stay as they are when others are encoded after them',
      async run() {
        const all: Uint8Array[] = []
        const copies: Uint8Array[] = []
        for (const sample of samples) {
          const bytes = codec.encode(sample)
          all.push(bytes)
          copies.push(Uint8Array.from(bytes))
        }
        for (let round = 0; round < 20; round += 1) for (const sample of samples) codec.encode(sample)
        expectThat(sameValue(all, copies), 'encoded bytes belong to the caller')
      },
    },
    {
      name: 'a decoded payload shares no memory with its bytes, and decoding leaves the bytes as they are',
      async run() {
        for (const sample of samples) {
          const bytes = Uint8Array.from(codec.encode(sample))
          const before = Uint8Array.from(bytes)
          const decoded = codec.decode(bytes)
          expectThat(sameValue(bytes, before), 'decoding does not write into the bytes')
          expectThat(Reflect.ownKeys(bytes).length === bytes.length, 'decoding leaves no property on the bytes')
          bytes.fill(0xff)
          expectThat(sameValue(decoded, sample), 'a payload does not change with the bytes it came from')
        }
      },
    },
    {
      name: 'bytes inside a larger buffer are read by themselves',
      async run() {
        for (const sample of samples) {
          const bytes = codec.encode(sample)
          const larger = Buffer.alloc(bytes.length + 16, 0x41)
          larger.set(bytes, 8)
          expectThat(
            sameValue(codec.decode(larger.subarray(8, 8 + bytes.length)), sample),
            'what lies around the bytes is not read',
          )
        }
      },
    },
    {
      name: 'truncated and damaged bytes are read or refused with EVT_CODEC_DECODE, within a second, and change no prototype',
      async run() {
        const reading = watchedReading(codec, samples)
        for (const { bytes, how } of damagedBytes(
          samples.map((sample) => codec.encode(sample)),
          fuzz,
        ))
          reading(bytes, how)
      },
    },
    {
      name: 'a mebibyte of every single byte, alone and behind a payload, is read or refused within a second',
      async run() {
        const reading = watchedReading(codec, samples)
        const prefix = samples.length === 0 ? new Uint8Array(0) : codec.encode(samples[0])
        for (let byte = 0; byte < 256; byte += 1) {
          const bytes = new Uint8Array(mebibyte).fill(byte)
          reading(bytes, `a mebibyte of ${byte}`)
          bytes.set(prefix.subarray(0, mebibyte))
          reading(bytes, `a payload and a mebibyte of ${byte}`)
        }
      },
    },
  ]
}

/** Decodes and holds the codec to its promises; the failure says how the bytes came about. */
function watchedReading(codec: Codec, samples: readonly unknown[]): (bytes: Uint8Array, how: string) => void {
  const guarded = [Object, Array, Function, String, Number, Date, Map, Set, Uint8Array].map((each) => each.prototype)
  const namesOf = () => guarded.map((prototype) => Reflect.ownKeys(prototype).length).join()
  const before = namesOf()
  // A codec may give its payloads a prototype of its own, but never one that came over the wire.
  const legal = new Set<unknown>([null, ...guarded, Buffer.prototype])
  for (const sample of samples) visit(codec.decode(codec.encode(sample)), (prototype) => legal.add(prototype))
  return (bytes, how) => {
    // Of this process alone: on a busy machine the clock on the wall counts its neighbours.
    const started = process.cpuUsage()
    let decoded: unknown
    try {
      decoded = codec.decode(bytes)
    } catch (error) {
      expectThat(isEvtError(error, 'EVT_CODEC_DECODE'), `bad bytes are EVT_CODEC_DECODE (${how}, got: ${error})`)
    }
    const { user, system } = process.cpuUsage(started)
    expectThat(user + system < maxDecodeMicros, `bytes are read or refused within a second (${how})`)
    visit(decoded, (prototype) => expectThat(legal.has(prototype), `a payload's prototype is not its own (${how})`))
    expectThat(namesOf() === before, `decoding changes no prototype (${how})`)
  }
}

function visit(value: unknown, seen: (prototype: unknown) => void): void {
  const open = [value]
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next !== 'object' || next === null) continue
    seen(Object.getPrototypeOf(next))
    if (!ArrayBuffer.isView(next)) for (const inner of Object.values(next)) open.push(inner)
  }
}
