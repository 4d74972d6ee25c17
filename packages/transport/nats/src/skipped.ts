import type { ConsumerInfo } from './js-api.ts'

/** Notices what somebody removed before a consumer had it. */
export interface Skipped {
  /** A consumer as it is when it begins to be read here. */
  begin(place: StreamPlace, info: ConsumerInfo): void
  /** Messages that have gone unread since the last look, at least. */
  since(place: StreamPlace, info: ConsumerInfo): number
}
export interface StreamPlace {
  readonly stream: string
  readonly created: string
  /** Of the first message there is. */
  readonly firstSequence: number
}
interface Seen {
  readonly made: string
  readonly streamSequence: number
  readonly consumerSequence: number
}

/**
 * Limits leave a consumer behind the first message there is. A purge takes it along: then its place has moved on by more
 * than it was handed, where each redelivery hides one.
 */
export function createSkipped(): Skipped {
  const seen = new Map<string, Seen>()
  const keyOf = ({ stream }: StreamPlace, { name }: ConsumerInfo) => `${stream} ${name}`
  const madeOf = ({ created }: StreamPlace, info: ConsumerInfo) => `${created} ${info.created}`
  const lastSeen = (place: StreamPlace, info: ConsumerInfo) => {
    const known = seen.get(keyOf(place, info))
    return known?.made === madeOf(place, info) ? known : undefined
  }
  const remember = (place: StreamPlace, info: ConsumerInfo, streamSequence: number) =>
    seen.set(keyOf(place, info), {
      made: madeOf(place, info),
      streamSequence,
      consumerSequence: info.delivered.consumer_seq,
    })
  return {
    begin(place, info) {
      if (lastSeen(place, info) === undefined) remember(place, info, info.delivered.stream_seq)
    },
    since(place, info) {
      const { stream_seq, consumer_seq } = info.delivered
      const before = lastSeen(place, info)
      const reached = Math.max(stream_seq, before?.streamSequence ?? 0)
      const behind = Math.max(0, place.firstSequence - 1 - reached)
      remember(place, info, reached + behind)
      if (before === undefined) return behind
      const passed = stream_seq - before.streamSequence - (consumer_seq - before.consumerSequence)
      return behind + Math.max(0, passed)
    },
  }
}
