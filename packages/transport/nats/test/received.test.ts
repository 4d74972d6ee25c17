import { decodeHeaders } from '../src/headers.ts'
import { readAcknowledgeTo } from '../src/received.ts'

const isOurs = (consumer: string) => consumer === 'group_a'
const told = { consumer: 'group_a', deliveries: 2, sequence: 1_204, storedAt: '1764031234567890123' }

describe('the subject of an acknowledgement', () => {
  it.each([
    '$JS.ACK.js_evt_order_created.group_a.2.1204.77.1764031234567890123.5',
    '$JS.ACK.hub.ACCOUNT.js_evt_order_created.group_a.2.1204.77.1764031234567890123.5',
    '$JS.ACK._.ACCOUNT.js_evt_order_created.group_a.2.1204.77.1764031234567890123.5.token',
  ])('is read in the form %s', (subject) => {
    expect(readAcknowledgeTo(subject, isOurs)).toEqual({ ...told, subject })
  })

  it.each([
    undefined,
    '',
    'orders',
    '$JS.ACK.',
    '$JS.ACK.stream.group_a',
    '$JS.ACK.stream.group_b.2.1204.77.1764031234567890123.5',
    '$JS.ACK.stream.group_a.two.1204.77.1764031234567890123.5',
    '$JS.ACK.stream.group_a.2.1204.77.yesterday.5',
    '$JS.ACK.stream.group_a.2.99999999999999999999.77.1764031234567890123.5',
    '$JS.ACK.a.b.c.d.e.f.g.h.i.j.k',
  ])('is nothing to us as %s', (subject) => {
    expect(readAcknowledgeTo(subject, isOurs)).toBeUndefined()
  })
})

describe('a block of headers', () => {
  it('is read without those of the server, trimmed and decoded', () => {
    const block =
      'NATS/1.0\r\nNats-Msg-Id: 1\r\nce-id: a%20b\r\nbaggage: a%20b\r\nnote:\t x \r\nempty:\r\nno colon\r\n: no name\r\n\r\n'
    expect({ ...decodeHeaders(block) }).toEqual({ 'ce-id': 'a b', baggage: 'a%20b', note: 'x', empty: '' })
  })

  it('inherits nothing, changes no prototype and may be anything', () => {
    const headers = decodeHeaders('NATS/1.0\r\n__proto__: x\r\nbad: %\r\n\r\n')
    expect('constructor' in headers).toBe(false)
    expect(Object.entries(headers)).toEqual([
      ['__proto__', 'x'],
      ['bad', '%'],
    ])
    for (const block of ['', 'NATS/1.0', '\r\n', 'NATS/1.0\r\nce-id: 1'])
      expect(Object.keys(decodeHeaders(block))).toEqual([])
  })
})
