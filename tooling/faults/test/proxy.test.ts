import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { startProxy, type TcpProxy } from '../src/nemesis/proxy.ts'

const quietWindowMs = 150
let echo: Server
let proxy: TcpProxy
let client: Socket

beforeEach(async () => {
  echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket))
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
  proxy = await startProxy(new URL(`tcp://127.0.0.1:${(echo.address() as AddressInfo).port}`))
  client = await dial()
})
afterEach(async () => {
  client.destroy()
  await proxy.close()
  await new Promise((resolve) => echo.close(resolve))
})

async function dial(): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}
const closed = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()))
async function answer(text: string): Promise<string> {
  let got = ''
  client.write(text)
  while (got.length < text.length) got += String((await once(client, 'data'))[0])
  return got
}

test('what passes comes out as it went in, also in slices', async () => {
  proxy.poison({ sliceBytes: 3 })
  expect(await answer('a sentence in slices')).toBe('a sentence in slices')
})

test('latency delays', async () => {
  proxy.poison({ latencyMs: 40 })
  const startedMs = performance.now()
  await answer('late')
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(79)
})

test('a half-open connection stays open and answers nothing, a new one works', async () => {
  await answer('before')
  expect(proxy.halfOpen()).toBe(1)
  let heard = false
  client.on('data', () => {
    heard = true
  })
  client.write('into the void')
  await new Promise((resolve) => setTimeout(resolve, quietWindowMs))
  expect(heard).toBe(false)
  expect(client.destroyed).toBe(false)
  client.destroy()
  client = await dial()
  expect(await answer('again')).toBe('again')
})

test('down resets what is open and refuses until up', async () => {
  await answer('before')
  const ended = closed(client)
  proxy.down()
  await ended
  const refused = connect(proxy.port, '127.0.0.1').on('error', () => undefined)
  await closed(refused)
  proxy.up()
  client = await dial()
  expect(await answer('up')).toBe('up')
})
