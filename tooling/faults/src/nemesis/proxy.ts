import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** What a proxy does to what passes it, after Toxiproxy's toxics. */
export interface Toxics {
  /** Every chunk waits so long, plus a random part of `jitterMs`. */
  readonly latencyMs?: number
  readonly jitterMs?: number
  readonly bytesPerSecond?: number
  /** Chunks are cut into pieces of this size. */
  readonly sliceBytes?: number
}
/** A way to a server that can be made bad. */
export interface TcpProxy {
  readonly port: number
  readonly connections: number
  /** Applies to what passes from now on. `random` decides the jitter. */
  poison(toxics: Toxics, random?: () => number): void
  /** Swallows everything of open connections, all or those that LISTEN, in both directions and tells nobody; new ones work. */
  halfOpen(which?: 'all' | 'listening'): number
  /** Resets every open connection. */
  reset(): number
  /** Refuses new connections and resets the open ones until `up`. */
  down(): void
  up(): void
  close(): Promise<void>
}
/** A timer that came late on a busy machine is made up for: else the way would be narrower than was asked for. */
const creditMs = 200

interface Pair {
  readonly client: Socket
  readonly server: Socket
  swallowing: boolean
  listening: boolean
}

export async function startProxy(target: URL): Promise<TcpProxy> {
  const pairs = new Set<Pair>()
  let toxics: Toxics = {}
  let random = Math.random
  let isDown = false

  const listener = createServer((client) => {
    if (isDown) return client.resetAndDestroy()
    const server = connect({ host: target.hostname, port: Number(target.port) })
    const pair: Pair = { client, server, swallowing: false, listening: false }
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', end)
      socket.on('close', () => !pair.swallowing && end())
    }
    void pump(client, server, pair)
    void pump(server, client, pair)
  })
  const pump = async (from: Socket, to: Socket, pair: Pair) => {
    // Timers are no finer than a millisecond: what is owed adds up until it can be waited for.
    let dueMs = 0
    try {
      for await (const chunk of from as AsyncIterable<Buffer>) {
        if (from === pair.client && chunk.includes('listen "')) pair.listening = true
        for (const piece of slices(chunk, toxics.sliceBytes)) {
          const { latencyMs = 0, jitterMs = 0, bytesPerSecond } = toxics
          const sendingMs = bytesPerSecond === undefined ? 0 : (piece.length / bytesPerSecond) * 1_000
          const nowMs = performance.now()
          dueMs = Math.max(dueMs, nowMs - creditMs) + sendingMs
          const waitMs = Math.max(0, dueMs - nowMs) + latencyMs + random() * jitterMs
          if (waitMs >= 1) await delay(waitMs)
          if (!pair.swallowing && !to.write(piece))
            await new Promise((resolve) => to.once('drain', resolve).once('close', resolve))
        }
      }
      if (!pair.swallowing) to.end()
    } catch {
      // The socket's own error handler ends the pair.
    }
  }
  const reset = () => {
    const { size } = pairs
    for (const { client, server } of pairs) {
      client.resetAndDestroy()
      server.destroy()
    }
    pairs.clear()
    return size
  }
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  return {
    port: (listener.address() as AddressInfo).port,
    get connections() {
      return pairs.size
    },
    poison(next, chance = Math.random) {
      toxics = next
      random = chance
    },
    halfOpen(which = 'all') {
      const open = [...pairs].filter((pair) => !pair.swallowing && (which === 'all' || pair.listening))
      for (const pair of open) pair.swallowing = true
      return open.length
    },
    reset,
    down() {
      isDown = true
      reset()
    },
    up() {
      isDown = false
    },
    async close() {
      reset()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}

function slices(chunk: Buffer, bytes: number | undefined): readonly Buffer[] {
  if (bytes === undefined) return [chunk]
  const pieces: Buffer[] = []
  for (let from = 0; from < chunk.length; from += bytes) pieces.push(chunk.subarray(from, from + bytes))
  return pieces
}
