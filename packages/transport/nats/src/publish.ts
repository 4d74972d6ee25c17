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
    const isOpen = new Uint8Array(messages.length)
    let open = 0
    let sending = true
    const fail = (at: number, outcome: PublishFailure['outcome'], error: unknown) => {
      failures.push({ index: messages[at]!.index, outcome, error })
    }
    const close = (at: number) => {
      isOpen[at] = 0
      open -= 1
    }
    const finish = () => {
      timer.cancel()
      end()
      forget()
      resolve(failures.sort((left, right) => left.index - right.index))
    }
    const giveUp = (why: string) => {
      const error = unavailable('Publishing', why)
      for (const [at, waits] of isOpen.entries()) if (waits === 1) fail(at, 'unknown', error)
      isOpen.fill(0)
      open = 0
      finish()
    }
    const { reply, end } = link.expect((message, at) => {
      if (message === undefined) return giveUp('the answer was lost')
      if (isOpen[at] !== 1) return
      close(at)
      const failure = failureOf(message)
      if (failure !== undefined) fail(at, ...failure)
      if (open === 0 && !sending) finish()
    })
    const forget = link.onDenied((subject, error) => {
      for (const [at, waits] of isOpen.entries()) {
        if (waits === 0 || messages[at]!.subject !== subject) continue
        close(at)
        fail(at, 'refused', error)
      }
      if (open === 0) finish()
    })
    const timer = startTimer(() => {
      giveUp(`no answer within ${timeoutMs} ms`)
      void link.confirm('Publishing').catch(() => undefined)
    }, timeoutMs)
    for (let at = 0; at < messages.length; at += 1) {
      const { subject, payload, headers } = messages[at]!
      isOpen[at] = 1
      open += 1
      try {
        link.client.publish(subject, payload, { reply: reply + at, headers })
      } catch (error) {
        close(at)
        fail(at, 'unavailable', error)
      }
    }
    sending = false
    if (open === 0) finish()
  })
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
