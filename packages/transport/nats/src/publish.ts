import type { PublishFailure } from '@evt/core'
import { evtError } from '@evt/core'
import type { HeaderBytes, NatsMessage } from './client.ts'
import { unavailable } from './errors.ts'
import type { Link } from './link.ts'

/** A message ready for the wire. */
export interface Encoded {
  readonly index: number
  readonly subject: string
  readonly payload: Uint8Array
  readonly headers: HeaderBytes
}

// {"stream": … without an error: what almost every answer begins with, so that it need not be parsed.
const accepted = Buffer.from('{"stream":')

/**
 * Publishes and waits for the stream's answer to each: one inbox, one timer and one promise for all of them.
 * The client's own `publish` makes a request object, an error and a timer for each message.
 */
export function publishAll(
  link: Link,
  messages: readonly Encoded[],
  timeoutMs: number,
  startTimer: (run: () => void, delayMs: number) => { cancel(): void },
): Promise<readonly PublishFailure[]> {
  return new Promise((resolve) => {
    const failures: PublishFailure[] = []
    const open = new Set<Answering>()
    const fail = (index: number, outcome: PublishFailure['outcome'], error: unknown) => {
      failures.push({ index, outcome, error })
    }
    const finish = () => {
      timer.cancel()
      resolve(failures.sort((left, right) => left.index - right.index))
    }
    const giveUp = (why: string) => {
      const error = unavailable('Publishing', why)
      for (const { end, index } of open) {
        end()
        fail(index, 'unknown', error)
      }
      open.clear()
      finish()
    }
    const timer = startTimer(() => {
      giveUp(`no answer within ${timeoutMs} ms`)
      void link.confirm('Publishing').catch(() => undefined)
    }, timeoutMs)
    let sending = true
    for (const { index, subject, payload, headers } of messages) {
      const { reply, end } = link.expect((message) => {
        if (message === undefined) return giveUp('the connection was lost')
        end()
        open.delete(answering)
        const failure = failureOf(message)
        if (failure !== undefined) fail(index, ...failure)
        if (open.size === 0 && !sending) finish()
      })
      const answering: Answering = { index, end }
      open.add(answering)
      try {
        link.client.publish(subject, payload, { reply, headers })
      } catch (error) {
        end()
        open.delete(answering)
        fail(index, 'unavailable', error)
      }
    }
    sending = false
    if (open.size === 0) finish()
  })
}
interface Answering {
  readonly index: number
  readonly end: () => void
}

function failureOf({ data, headers }: NatsMessage): [PublishFailure['outcome'], Error] | undefined {
  if (data.byteLength === 0) {
    const why = headers?.code === 503 ? 'no stream takes it' : 'the answer is empty'
    return [headers?.code === 503 ? 'unavailable' : 'unknown', unavailable('Publishing', why)]
  }
  if (accepted.equals(data.subarray(0, accepted.length))) return undefined
  const error = errorIn(data)
  if (error === undefined) return ['unknown', unavailable('Publishing', 'the answer cannot be read')]
  const { err_code: code = error.code, description = 'no reason given' } = error
  // A stream without room or leader may have one later; anything else will be refused again.
  const passing = error.code >= 500
  const details = { operation: 'Publishing', code }
  return [
    passing ? 'unavailable' : 'refused',
    evtError('EVT_NATS_REFUSED', `Publishing: ${description}`, details, { retryable: passing }),
  ]
}
function errorIn(data: Uint8Array): { code: number; err_code?: number; description?: string } | undefined {
  try {
    return (JSON.parse(Buffer.from(data).toString('utf8')) as { error?: { code: number } }).error
  } catch {
    return undefined
  }
}
