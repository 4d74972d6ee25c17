import { crashPoint, isEvtError, type Outgoing, type PublishFailure } from '@evt/core'
import { sqlState } from '@evt/pg'
import type { Ask } from './database.ts'
import type { Names } from './names.ts'
import type { KnownTopic, Topics } from './topics.ts'
import { writeMessages } from './write-messages.ts'

export interface PublishParts {
  readonly ask: Ask
  readonly names: Names
  readonly topics: Topics
  readonly maxMessageBytes: number
  /** Something was published to these topics. */
  onPublished(topics: Iterable<KnownTopic>): void
}

type Failure = Omit<PublishFailure, 'index'>

const maxStatementBytes = 8 * 1_024 * 1_024

/** Publishes a batch in order, in statements of bounded size. What is too large, or the server will not store, is refused by itself. */
export async function publishBatch(
  parts: PublishParts,
  batch: readonly Outgoing[],
): Promise<readonly PublishFailure[]> {
  const { maxMessageBytes } = parts
  const failures: PublishFailure[] = []
  let chunk: Outgoing[] = []
  let places: number[] = []
  let bytes = 0
  let last: Failure | undefined
  const send = async (messages: readonly Outgoing[], indexes: readonly number[]): Promise<void> => {
    const failure = last ?? (await write(parts, messages))
    if (failure?.outcome === 'refused' && messages.length > 1) {
      const middle = messages.length >> 1
      await send(messages.slice(0, middle), indexes.slice(0, middle))
      return send(messages.slice(middle), indexes.slice(middle))
    }
    if (failure === undefined) return
    for (const index of indexes) failures.push({ index, ...failure })
    // What follows a failure must not overtake it; what is refused goes out never, and holds up nothing.
    if (failure.outcome !== 'refused') last = { outcome: 'unavailable', error: failure.error }
  }
  const flush = async () => {
    if (chunk.length > 0) await send(chunk, places)
    chunk = []
    places = []
    bytes = 0
  }
  for (let index = 0; index < batch.length; index += 1) {
    const message = batch[index]!
    const size = message.payload.byteLength
    if (size > maxMessageBytes) {
      const error = new Error(`its payload has ${size} bytes, at most ${maxMessageBytes} are accepted`)
      failures.push({ index, outcome: 'refused', error })
      continue
    }
    if (bytes + size > maxStatementBytes) await flush()
    chunk.push(message)
    places.push(index)
    bytes += size
  }
  await flush()
  return failures.length > 1 ? failures.sort((left, right) => left.index - right.index) : failures
}

async function write(parts: PublishParts, messages: readonly Outgoing[]): Promise<Failure | undefined> {
  const { ask, names, topics } = parts
  let resolved: Awaited<ReturnType<Topics['resolve']>>
  try {
    resolved = await topics.resolve(
      ask,
      messages.map((message) => message.topic),
    )
  } catch (error) {
    return { outcome: 'unavailable', error }
  }
  try {
    await writeMessages(ask, names, resolved, messages)
  } catch (error) {
    topics.forget(resolved.keys())
    return { outcome: outcomeOf(error), error }
  }
  crashPoint('transport.published')
  parts.onPublished(resolved.values())
  return undefined
}

/** A server that answered has rolled the statement back; where it went silent, it may have committed. */
function outcomeOf(error: unknown): PublishFailure['outcome'] {
  if (isEvtError(error, 'EVT_PG_DATA_REFUSED')) return 'refused'
  if (!isEvtError(error, 'EVT_PG_UNAVAILABLE'))
    return sqlState(causeOf(error)) === undefined ? 'unknown' : 'unavailable'
  return error.details.operation === 'Publishing' ? 'unknown' : 'unavailable'
}

function causeOf(error: unknown): unknown {
  return isEvtError(error) ? error.cause : error
}
