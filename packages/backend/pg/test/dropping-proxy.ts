import { connect, createServer, type Socket } from 'node:net'

/** A server in front of a database that can lose the answers of the database, or every connection. */
export interface DroppingProxy {
  readonly url: string
  /** From now on, a connection whose client sends this text is cut as soon as it was passed on. */
  cutAfter(text: string): void
  cutAll(): void
  /** From now on the answer that a new connection is ready has, in the same bytes, that the server shuts down. */
  sayGoodbye(): void
  close(): Promise<void>
}

/** All but the last byte of the message, which tells the state of the transaction. */
const readyForQuery = Buffer.from([0x5a, 0, 0, 0, 5])
const fields = Buffer.from('SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0')
const goodbye = Buffer.concat([Buffer.from([0x45, 0, 0, 0, fields.length + 4]), fields])

export async function droppingProxy(target: string): Promise<DroppingProxy> {
  const { hostname, port } = new URL(target)
  const pairs = new Set<readonly [Socket, Socket]>()
  let cue: string | undefined
  let isLeaving = false
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    const pair = [client, upstream] as const
    pairs.add(pair)
    const end = () => {
      client.destroy()
      upstream.destroy()
      pairs.delete(pair)
    }
    for (const socket of pair) socket.on('error', end).on('close', end)
    let isCut = false
    client.on('data', (bytes) => {
      isCut ||= cue !== undefined && bytes.toString('latin1').includes(cue)
      upstream.write(bytes)
    })
    upstream.on('data', (bytes) => {
      // The database has done what it was asked; its answer is what gets lost.
      if (isCut) return end()
      if (!isLeaving || !bytes.subarray(-6, -1).equals(readyForQuery)) return void client.write(bytes)
      client.write(Buffer.concat([bytes, goodbye]))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(target)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as { port: number }).port)
  const cutAll = () => {
    for (const [client] of pairs) client.destroy()
  }
  return {
    url: url.href,
    cutAfter(text) {
      cue = text
    },
    cutAll,
    sayGoodbye() {
      isLeaving = true
    },
    close() {
      cutAll()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}
