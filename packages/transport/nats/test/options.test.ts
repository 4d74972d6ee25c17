import {
  type JetstreamTransportOptions,
  jetstreamTransport,
  type NatsTransportOptions,
  natsTransport,
} from '../src/index.ts'

const connection = () => Promise.reject(new Error('nobody may ask the server'))
type Options = NatsTransportOptions & JetstreamTransportOptions

const both: readonly (readonly [string, unknown])[] = [
  ['connection', undefined],
  ['connection', 'nats://localhost:4222'],
  ['connection', { publish() {}, subscribe() {}, status() {}, reconnect() {} }],
  ['answerTimeoutMs', 99],
  ['answerTimeoutMs', 60_001],
]
const kinds = [
  ['natsTransport', natsTransport, [...both, ['maxMessages', 0], ['maxBytes', 0.5]]],
  [
    'jetstreamTransport',
    jetstreamTransport,
    [
      ...both,
      ['stream', 'a.b'],
      ['replicas', 6],
      ['duplicateWindowMs', 99],
      ['reapAfterMs', 999],
      ['onMissing', 'ignore'],
    ],
  ],
] as const

for (const [name, create, wrong] of kinds) {
  describe(`the options of ${name}`, () => {
    test.each(wrong)('%s is checked: %j', (option, value) => {
      const given = { connection, [option]: value } as Options
      expect(() => create(given)).toThrow(
        expect.objectContaining({ code: 'EVT_OPTION_INVALID', details: expect.objectContaining({ option }) }),
      )
    })

    test('the promise of a connection that nobody awaited is refused by what is expected in its place', () => {
      const promise = Promise.resolve({})
      expect(() => create({ connection: promise } as unknown as Options)).toThrow(
        'Option "connection": expected a NatsConnection or a function that makes one',
      )
    })

    test('a function that answers no connection, for want of a return, is told so when it is called', async () => {
      const transport = create({ connection: async () => {} } as unknown as Options)
      await expect(transport.open()).rejects.toMatchObject({
        code: 'EVT_OPTION_INVALID',
        details: { option: 'connection', reason: 'the function has answered no NatsConnection' },
      })
    })

    test('an option that nobody reads, or only the other transport, is refused by name', () => {
      for (const option of ['ackWaitMs', name === 'natsTransport' ? 'replicas' : 'maxMessages'])
        expect(() => create({ connection, [option]: 1 } as Options)).toThrow(
          expect.objectContaining({ code: 'EVT_OPTION_UNKNOWN', details: expect.objectContaining({ option }) }),
        )
    })
  })
}
