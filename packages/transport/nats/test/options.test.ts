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
  ['connection.flush', { publish() {}, subscribe() {}, status() {}, reconnect() {} }],
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
      const given = { connection, [option.split('.')[0]!]: value } as Options
      expect(() => create(given)).toThrow(
        expect.objectContaining({ code: 'EVT_OPTION_INVALID', details: expect.objectContaining({ option }) }),
      )
    })

    test('an option that nobody reads, or only the other transport, is refused by name', () => {
      for (const option of ['ackWaitMs', name === 'natsTransport' ? 'replicas' : 'maxMessages'])
        expect(() => create({ connection, [option]: 1 } as Options)).toThrow(
          expect.objectContaining({ code: 'EVT_OPTION_UNKNOWN', details: expect.objectContaining({ option }) }),
        )
    })
  })
}
