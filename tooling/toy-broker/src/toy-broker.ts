import { createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import {
  type ToyGroup,
  type ToyMessage,
  type ToyReader,
  type ToySettlement,
  type ToyStart,
  ToyTopic,
} from './toy-topic.ts'

const maxPayloadBytes = 1_024 * 1_024

/** A broker that exists for one page of the guide: lines of JSON over TCP, everything kept in its memory. */
export interface ToyBroker {
  readonly port: number
  /** Cuts every connection and comes back on the same port, with all it had kept. */
  restart(): Promise<void>
  close(): Promise<void>
}

/** What a line holds: each operation reads its own request. */
interface Request extends Omit<ToyReader, 'answer'> {
  readonly id: number
  readonly op: string
  readonly topic: string
  readonly group: string
  readonly from: ToyStart
  readonly ephemeral: boolean
  readonly messages: readonly ToyMessage[]
  readonly settlements: readonly ToySettlement[]
  readonly tokens: readonly number[]
  readonly read: number
  readonly after: number
  readonly limit: number
  readonly ids: readonly number[]
}
type Connection = { readonly reads: Map<number, () => void>; readonly ephemeral: Set<() => void> }

/** Starts a broker on a free loopback port. */
export async function startToyBroker(): Promise<ToyBroker> {
  const topics = new Map<string, ToyTopic>()
  const sockets = new Set<Socket>()
  const listen = (port: number): Promise<Server> => {
    const server = createServer((socket) => {
      sockets.add(socket)
      const connection: Connection = { reads: new Map(), ephemeral: new Set() }
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        for (const cancel of connection.reads.values()) cancel()
        for (const remove of connection.ephemeral) remove()
      })
      const lines = createInterface({ input: socket })
      lines.on('error', () => socket.destroy())
      lines.on('line', (line) => {
        let id: number | undefined
        const answer = (result: object) => socket.write(`${JSON.stringify({ id, ...result })}\n`)
        try {
          const request = JSON.parse(line) as Request
          id = request.id
          serve(topics, connection, request, answer)
        } catch (error) {
          answer({ error: (error as Error).message })
        }
      })
    })
    return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)))
  }
  const stop = (server: Server): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(() => resolve()))
  }
  let server = await listen(0)
  const { port } = server.address() as { port: number }
  return {
    port,
    async restart() {
      await stop(server)
      server = await listen(port)
    },
    async close() {
      await stop(server)
      for (const topic of topics.values()) for (const group of topic.groups.values()) group.close()
    },
  }
}

function serve(
  topics: Map<string, ToyTopic>,
  connection: Connection,
  request: Request,
  answer: (result: object) => void,
): void {
  const topicOf = (of: string): ToyTopic => {
    const found = topics.get(of) ?? new ToyTopic()
    topics.set(of, found)
    return found
  }
  const groupOf = (): ToyGroup => {
    const group = topics.get(request.topic)?.groups.get(request.group)
    if (group === undefined) throw new Error('no such group')
    return group
  }
  switch (request.op) {
    case 'declare':
      topicOf(request.topic)
      return answer({})
    case 'publish': {
      const refused: number[] = []
      for (const [index, message] of request.messages.entries())
        if (Buffer.byteLength(message.payload, 'base64') > maxPayloadBytes) refused.push(index)
        else topicOf(message.topic).publish(message)
      return answer({ refused })
    }
    case 'group': {
      const topic = topicOf(request.topic)
      topic.group(request.group, request.from)
      if (request.ephemeral) connection.ephemeral.add(() => topic.groups.delete(request.group))
      return answer({})
    }
    case 'leave':
      groupOf().close()
      topicOf(request.topic).groups.delete(request.group)
      return answer({})
    case 'read': {
      const group = groupOf()
      const end = (deliveries: readonly object[]) => {
        connection.reads.delete(request.id)
        group.readers.delete(reader)
        answer({ deliveries })
      }
      const reader: ToyReader = { ...request, answer: end }
      connection.reads.set(request.id, () => end([]))
      group.readers.add(reader)
      return group.serve()
    }
    case 'cancel':
      return connection.reads.get(request.read)?.()
    case 'settle': {
      const group = groupOf()
      return answer({ lost: request.settlements.filter((each) => !group.settle(each)).map(({ token }) => token) })
    }
    case 'extend':
      return answer({ lost: groupOf().extend(request.tokens, request.leaseMs) })
    case 'inspect':
      return answer({ groups: [...topicOf(request.topic).groups.values()].map((group) => group.state()) })
    case 'trim':
      return answer(topicOf(request.topic).trim())
    case 'letters': {
      const behind = topicOf(request.topic).letters.filter(({ letter }) => letter > request.after)
      return answer({ letters: behind.slice(0, request.limit) })
    }
    case 'removeLetters': {
      const topic = topicOf(request.topic)
      topic.letters = topic.letters.filter(({ letter }) => !request.ids.includes(letter))
      return answer({})
    }
    default:
      throw new Error(`no operation ${request.op}`)
  }
}
