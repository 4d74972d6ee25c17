import { type Clock, invalidOption, uuidv7, within } from '@evt/core'
import type {
  NatsClient,
  NatsConnectionSource,
  NatsMessage,
  NatsPublishOptions,
  NatsServerInfo,
  NatsSubscription,
} from './client.ts'
import { cannotConnect, denied, unavailable } from './errors.ts'
import { type Listening, listen } from './listening.ts'
import { isConnection } from './nats-options.ts'

/** Gets an answer with the number of what it answers, or undefined when none can come any more. */
type Listener = (message: NatsMessage | undefined, index: number) => void

/** The connection with what the client leaves open: whether it is up, limits on waiting, and one inbox for all answers. */
export interface Link {
  readonly client: NatsClient
  readonly info: NatsServerInfo
  readonly connected: boolean
  /** Why nothing can be asked now: there is no connection, or no permission to listen to the answers. */
  obstacle(operation: string): Error | undefined
  /** Resolves when answers can be heard, which whoever expects none need not be permitted to. Rejects with `EVT_NATS_DENIED`. */
  hear(): Promise<void>
  /** Resolves when the server has everything sent before; a silent connection is replaced and the promise rejects. */
  confirm(operation: string): Promise<void>
  /** Ends a subscription. Answers whether what was under way has arrived, or false after too long a silence. */
  drain(subscription: Pick<NatsSubscription, 'drain' | 'unsubscribe'>): Promise<boolean>
  /** Takes answers until `end`. `reply` and a number are where the answer to that number is sent. */
  expect(take: Listener): { readonly reply: string; end(): void }
  /** One answer to one message, within the time limit. */
  request(operation: string, subject: string, body: Uint8Array, options?: NatsPublishOptions): Promise<NatsMessage>
  /** Runs whenever the connection was lost or is up again, until the function returned is called. */
  onChange(run: (connected: boolean) => void): () => void
  /** Runs when the server would not take what was published to a subject, until the function returned is called. */
  onDenied(run: (subject: string, error: Error) => void): () => void
  close(): Promise<void>
}

export interface LinkOptions {
  readonly connection: NatsConnectionSource
  readonly inboxPrefix: string
  readonly answerTimeoutMs: number
  readonly clock: Clock
}

export async function openLink({ connection, inboxPrefix, answerTimeoutMs, clock }: LinkOptions): Promise<Link> {
  const client = typeof connection === 'function' ? await connect(connection) : connection
  if (client.isClosed()) throw unavailable('Opening', 'the connection is closed')
  const inbox = `${inboxPrefix}.${uuidv7(clock.nowMs())}`
  const nameAt = inbox.length + 1
  const expected = new Map<string, Listener>()
  const changes = new Set<(connected: boolean) => void>()
  const denials = new Set<(subject: string, error: Error) => void>()
  let answers: Listening | undefined
  let connected = true
  let closing = false
  let asked = 0
  const loseAnswers = () => {
    for (const take of [...expected.values()]) take(undefined, 0)
  }
  const lose = () => {
    connected = false
    loseAnswers()
    for (const run of [...changes]) run(false)
  }
  const watch = async () => {
    for await (const { type, permissionContext: { operation, subject } = {} } of client.status()) {
      if (type === 'disconnect') lose()
      else if (type === 'reconnect') {
        connected = true
        for (const run of [...changes]) run(true)
      } else if (operation === 'publish' && subject !== undefined) {
        for (const run of [...denials]) run(subject, denied('publish', subject))
      }
    }
    lose()
  }
  void watch()

  const flush = async (operation: string) => {
    if (!link.connected) throw unavailable(operation, 'there is no connection to NATS')
    let stopWaiting: (error: Error) => void = () => {}
    const late = new Promise<never>((_resolve, reject) => {
      stopWaiting = reject
    })
    const timer = clock.startTimer(() => {
      stopWaiting(unavailable(operation, `the server was silent for ${answerTimeoutMs} ms`))
      // A connection that is open at this end only would be silent for minutes.
      void client.reconnect().catch(() => undefined)
    }, answerTimeoutMs)
    const forget = link.onChange((up) => {
      if (!up) stopWaiting(unavailable(operation, 'the connection was lost'))
    })
    try {
      await Promise.race([client.flush(), late])
    } finally {
      timer.cancel()
      forget()
    }
  }
  const listening = () => {
    answers ??= listen({
      client,
      subject: `${inbox}.*`,
      confirm: flush,
      take(message) {
        const { subject } = message
        const dash = subject.indexOf('-', nameAt)
        expected.get(subject.slice(nameAt, dash))?.(message, Number(subject.slice(dash + 1)))
      },
      onDenied: loseAnswers,
    })
    return answers
  }
  const link: Link = {
    client,
    get info() {
      return client.info ?? { version: '0', max_payload: 0 }
    },
    get connected() {
      return connected && !closing && !client.isClosed()
    },
    obstacle(operation) {
      if (!link.connected) return unavailable(operation, 'there is no connection to NATS')
      const why = answers?.denied
      // The permission may have been given meanwhile: then whoever asks next finds no obstacle.
      if (why !== undefined) void answers!.confirmed().catch(() => undefined)
      return why
    },
    hear: () => listening().confirmed(),
    confirm: flush,
    async drain(subscription) {
      if (!link.connected) {
        subscription.unsubscribe()
        return false
      }
      // The client itself would wait for a silent server until its pings have failed, which takes minutes.
      const ending = subscription.drain().catch(() => undefined)
      return (await within(clock, answerTimeoutMs, ending)) && link.connected
    },
    expect(take) {
      listening()
      asked += 1
      const name = asked.toString(36)
      expected.set(name, take)
      return { reply: `${inbox}.${name}-`, end: () => expected.delete(name) }
    },
    request(operation, subject, body, options = {}) {
      return new Promise((resolve, reject) => {
        const obstacle = link.obstacle(operation)
        if (obstacle !== undefined) return reject(obstacle)
        const done = (act: () => void) => {
          timer.cancel()
          end()
          forget()
          act()
        }
        const { reply, end } = link.expect((message) =>
          done(() => {
            if (message === undefined) reject(unavailable(operation, 'the answer was lost'))
            else if (message.headers?.code === 503) reject(unavailable(operation, 'nobody answers'))
            else resolve(message)
          }),
        )
        const timer = clock.startTimer(() => {
          done(() => reject(unavailable(operation, `no answer within ${answerTimeoutMs} ms`)))
          // Whether it is the connection that is silent: if so, it is replaced.
          void flush(operation).catch(() => undefined)
        }, answerTimeoutMs)
        const forget = link.onDenied((which, error) => {
          if (which === subject) done(() => reject(error))
        })
        try {
          client.publish(subject, body, { ...options, reply: `${reply}0` })
        } catch (error) {
          done(() => reject(error))
        }
      })
    },
    onChange(run) {
      changes.add(run)
      return () => changes.delete(run)
    },
    onDenied(run) {
      denials.add(run)
      return () => denials.delete(run)
    },
    async close() {
      // Whoever still waits for an answer would wait in vain until its time limit.
      closing = true
      lose()
      if (typeof connection === 'function') await client.close()
      else answers?.unsubscribe()
    },
  }
  return link
}

async function connect(make: () => Promise<NatsClient>): Promise<NatsClient> {
  let made: NatsClient | undefined
  try {
    made = await make()
  } catch (error) {
    throw cannotConnect(error)
  }
  // A forgotten return.
  if (!isConnection(made)) throw invalidOption('connection', 'the function has answered no NatsConnection')
  return made
}
