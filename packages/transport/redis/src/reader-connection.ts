import { type Clock, evtError, type Timer } from '@evt/core'
import type { RedisArgument, RedisClient } from '@evt/redis'

/** The one connection of one reader: a read that waits would hold up everything else on it. */
export interface ReaderConnection {
  /** Rejects where no answer has come within so long; the connection is then replaced, because a half-open one never recovers. */
  ask<Reply>(limitMs: number, work: (client: RedisClient) => Promise<Reply>): Promise<Reply>
  /** A command that waits on the server for so long at most; the signal and `unblock` end it early, with what it has. */
  block(waitMs: number, signal: AbortSignal, command: string, args: RedisArgument[]): Promise<unknown>
  unblock(): void
  /** Lets the connection go; the next question makes another, perhaps to another server. */
  drop(): void
  /** Lets it go for good. */
  close(): void
}

const graceMs = 3_000
const unblockEveryMs = 20

export function readerConnection(client: RedisClient, clock: Clock): ReaderConnection {
  let connection: RedisClient | undefined
  /** What the server calls the connection, once it has been asked. */
  let id: string | undefined
  let blocked = false
  let unblocking: Timer | undefined
  /** Listened to as long as reads come with it: to begin and end that for each takes longer than the rest of the waiting. */
  let watched: AbortSignal | undefined

  const connect = () => {
    const fresh = client.duplicate({
      lazyConnect: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      retryStrategy: (times) => Math.min(500, times * 50),
    })
    // Whoever waits for an answer is told; without a listener the client would write to the console.
    fresh.on('error', () => undefined)
    fresh.on('close', () => {
      if (connection === fresh) id = undefined
    })
    return fresh
  }
  const drop = () => {
    connection?.disconnect()
    connection = undefined
    id = undefined
  }
  const unblock = () => {
    if (!blocked || unblocking !== undefined) return
    if (id !== undefined) client.call('CLIENT', ['UNBLOCK', id]).catch(() => undefined)
    // The command may still be on its way to the server, where there was nothing to unblock yet.
    unblocking = clock.startTimer(() => {
      unblocking = undefined
      unblock()
    }, unblockEveryMs)
  }
  const watch = (signal: AbortSignal | undefined) => {
    if (signal === watched) return
    watched?.removeEventListener('abort', unblock)
    watched = signal
    watched?.addEventListener('abort', unblock)
  }
  const ask: ReaderConnection['ask'] = (limitMs, work) => {
    connection ??= connect()
    const asked = connection
    return new Promise((resolve, reject) => {
      const timer = clock.startTimer(() => {
        if (connection === asked) drop()
        const text = `Reading: Redis has not answered for ${Math.round(limitMs)} ms; the connection is replaced`
        reject(evtError('EVT_REDIS_UNAVAILABLE', text, { operation: 'Reading' }, { retryable: true }))
      }, limitMs)
      work(asked)
        .then(resolve, reject)
        .finally(() => timer.cancel())
    })
  }
  return {
    ask,
    async block(waitMs, signal, command, args) {
      if (id === undefined) {
        const answer = await ask(graceMs, (asked) => asked.call('CLIENT', ['ID']))
        if (connection !== undefined) id = String(answer)
      }
      if (signal.aborted) return null
      watch(signal)
      blocked = true
      try {
        return await ask(waitMs + graceMs, (asked) => asked.callBuffer(command, args))
      } finally {
        blocked = false
        unblocking?.cancel()
        unblocking = undefined
      }
    },
    unblock,
    drop,
    close() {
      watch(undefined)
      drop()
    },
  }
}
