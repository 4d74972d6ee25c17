export interface FuzzOptions {
  /** How many payloads are damaged at random. Default 2,000. */
  readonly rounds?: number | undefined
  /** Default 1. */
  readonly seed?: number | undefined
}

/** Longer payloads take time and add no case. */
const maxBytes = 4_096
const maxChanged = 300

/** Good payloads cut off everywhere, with every byte changed, and damaged at random by seed. */
export function* damagedBytes(
  given: readonly Uint8Array[],
  { rounds = 2_000, seed = 1 }: FuzzOptions,
): Iterable<{ readonly bytes: Uint8Array; readonly how: string }> {
  const payloads = given.filter((payload) => payload.length <= maxBytes)
  for (const [which, payload] of payloads.entries()) {
    for (let length = 0; length < Math.min(payload.length, maxChanged); length += 1)
      yield { bytes: payload.slice(0, length), how: `payload ${which} cut off at ${length}` }
    for (let index = 0; index < Math.min(payload.length, maxChanged); index += 1)
      for (const mask of [0x01, 0x55, 0x80, 0xff]) {
        const bytes = Uint8Array.from(payload)
        bytes[index]! ^= mask
        yield { bytes, how: `payload ${which} with ${mask} in byte ${index}` }
      }
  }
  const random = randomBelow(seed)
  for (let round = 0; round < rounds; round += 1) {
    const payload = payloads.length === 0 ? new Uint8Array(0) : payloads[random(payloads.length)]!
    yield { bytes: damage(payload, random), how: `seed ${seed}, round ${round}` }
  }
}

type Random = (limit: number) => number

function damage(payload: Uint8Array, random: Random): Uint8Array {
  const kind = random(5)
  if (kind === 0) return Uint8Array.from({ length: random(64) }, () => random(256))
  const bytes = [...payload]
  const at = random(bytes.length + 1)
  // Flip bits, repeat a part somewhere else, remove a part, or put noise in.
  if (kind === 1)
    for (let flips = 1 + random(4); flips > 0 && at < bytes.length; flips -= 1) bytes[at]! ^= 1 << random(8)
  else if (kind === 2) bytes.splice(at, 0, ...bytes.slice(random(bytes.length + 1)))
  else if (kind === 3) bytes.splice(at, 1 + random(8))
  else bytes.splice(at, random(4), ...Array.from({ length: 1 + random(8) }, () => random(256)))
  return Uint8Array.from(bytes)
}

/** Whole numbers below a limit, the same for a seed everywhere: xorshift32. Source: https://www.jstatsoft.org/v08/i14 */
function randomBelow(seed: number): Random {
  let state = seed | 0 || 1
  return (limit) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % limit
  }
}
