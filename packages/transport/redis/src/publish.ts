import { crashPoint, type Outgoing, type PublishFailure, partitionOf, payloadBytes } from '@evt/core'
import { isServerReply, type RedisArgument, redisFailure, replyWord, runScripts, type ScriptCall } from '@evt/redis'
import { keyBeside, writeEntry } from './entries.ts'
import type { CheckedOptions } from './options.ts'
import type { Scripts } from './scripts.ts'
import type { KnownTopic, Topics } from './topics.ts'

interface PublishParts {
  readonly options: CheckedOptions
  readonly scripts: Scripts
  readonly topics: Topics
}
/** Messages of one topic that go in one call. */
interface Parcel {
  readonly topic: KnownTopic
  /** Their places in the batch. */
  readonly places: number[]
  /** Headers and payload of each. */
  readonly entries: RedisArgument[]
  /** Stream and key of each, where the script must be told. */
  readonly whereabouts: RedisArgument[]
  bytes: number
}

const maxParcelBytes = 8 * 1_024 * 1_024

/** Publishes a batch in one round trip, one script call per topic and 8 MiB. What is too large is refused by itself. */
export async function publishBatch(
  { options, scripts, topics }: PublishParts,
  batch: readonly Outgoing[],
): Promise<readonly PublishFailure[]> {
  const { client, maxMessageBytes, maxLength, maxAgeMs } = options
  const failures: PublishFailure[] = []
  const parcels: Parcel[] = []
  const open = new Map<string, Parcel>()
  for (let index = 0; index < batch.length; index += 1) {
    const message = batch[index]!
    const bytes = payloadBytes(message)
    if (bytes > maxMessageBytes) {
      const error = new Error(`its payload has ${bytes} bytes, at most ${maxMessageBytes} are accepted`)
      failures.push({ index, outcome: 'refused', error })
      continue
    }
    let parcel = open.get(message.topic)
    if (parcel === undefined || parcel.bytes + bytes > maxParcelBytes) {
      const known = topics.find(message.topic)
      const topic = known instanceof Promise ? await known : known
      parcel = { topic, places: [], entries: [], whereabouts: [], bytes: 0 }
      open.set(message.topic, parcel)
      parcels.push(parcel)
    }
    parcel.places.push(index)
    writeEntry(parcel.entries, message)
    writeWhereabouts(parcel, message)
    parcel.bytes += bytes
  }
  const calls: ScriptCall[] = parcels.map((parcel) => ({
    script: scripts.publish,
    keys: keysOf(parcel.topic),
    args: argumentsOf(parcel),
  }))
  if (maxLength > 0 || maxAgeMs > 0) calls.push(...limitCalls(parcels, options, scripts))
  const results = await runScripts(client, calls)
  crashPoint('transport.published')
  for (let index = 0; index < parcels.length; index += 1)
    failures.push(...failuresOf(topics, parcels[index]!, results[index]))
  return failures.length > 1 ? failures.sort((left, right) => left.index - right.index) : failures
}

function limitCalls(
  parcels: readonly Parcel[],
  { maxLength, maxAgeMs }: CheckedOptions,
  scripts: Scripts,
): ScriptCall[] {
  const topics = new Set(parcels.map((parcel) => parcel.topic))
  return [...topics].flatMap(({ keys, streams }) =>
    streams.map((stream) => ({ script: scripts.limit, keys: [keys.cuts, stream], args: [maxLength, maxAgeMs] })),
  )
}

function writeWhereabouts({ topic: { partitions }, places, whereabouts }: Parcel, message: Outgoing): void {
  const key = keyBeside(message)
  if (partitions === undefined && key === undefined && whereabouts.length === 0) return
  // Those before it were as plain as can be.
  while (whereabouts.length < (places.length - 1) * 2) whereabouts.push('1', '')
  // Messages without a key are spread by their id: any partition will do.
  const partition = partitions === undefined ? 0 : partitionOf(message.key ?? message.id, partitions)
  whereabouts.push(String(partition + 1), key ?? '')
}

function argumentsOf({ entries, whereabouts }: Parcel): RedisArgument[] {
  if (whereabouts.length === 0) return ['2', ...entries]
  const args: RedisArgument[] = ['4']
  for (let at = 0; at < entries.length; at += 2)
    args.push(entries[at]!, entries[at + 1]!, whereabouts[at]!, whereabouts[at + 1]!)
  return args
}

function keysOf({ partitions, streams, keys }: KnownTopic): readonly string[] {
  return partitions === undefined ? streams : [...streams, keys.topic]
}

/** A server that answered has appended nothing; where it went silent it may have. */
function failuresOf(topics: Topics, { places, topic }: Parcel, result: unknown): PublishFailure[] {
  const operation = `Publishing to "${topic.name}"`
  if (result instanceof Error) {
    const outcome = isServerReply(result) ? 'unavailable' : 'unknown'
    const isChanged = replyWord(result) === 'PARTITIONS'
    const actual = Number(result.message.split(' ')[1])
    const error = isChanged ? topics.changed(topic, actual || undefined) : redisFailure(result, operation)
    return places.map((index) => ({ index, outcome, error }))
  }
  const list = result as readonly unknown[]
  const failures: PublishFailure[] = []
  for (let at = 0; at + 1 < list.length; at += 2) {
    const reply = Object.assign(new Error(String(list[at + 1])), { name: 'ReplyError' })
    const error = redisFailure(reply, operation)
    failures.push({ index: places[Number(list[at])]!, outcome: 'unavailable', error })
  }
  return failures
}
