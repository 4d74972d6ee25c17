import { kafkajsClient, kafkaTransport } from '../src/index.ts'

describe('the options of the Kafka transport', () => {
  const brokers = ['127.0.0.1:1']

  test.each([
    ['kafkaTransport', () => kafkaTransport({ brokers, retentionMS: 5 } as object)],
    ['kafkajsClient', () => kafkajsClient({ brokers, retentionMS: 5 } as { brokers: string[] })],
  ])('an option that %s does not know is refused by name', (_what, construct) => {
    expect(construct).toThrow(
      expect.objectContaining({
        code: 'EVT_OPTION_UNKNOWN',
        details: expect.objectContaining({ option: 'retentionMS' }),
      }),
    )
  })

  test.each([
    ['brokers', []],
    ['brokers', 'localhost:9092'],
    ['brokers', ['localhost']],
    ['brokers', ['kafka://localhost:9092']],
    ['connectTimeoutMs', 0],
    ['requestTimeoutMs', 999],
    ['prefix', 'a_b'],
    ['prefix', 'x'.repeat(41)],
    ['partitions', 0],
    ['replicationFactor', 0],
    ['retentionMs', 999],
    ['onMissing', 'ignore'],
    ['maxMessageBytes', 1_023],
    ['sessionMs', 5_999],
    ['drainMs', -1],
    ['maxDelayed', 0],
  ])('%s is checked: %j', (option, value) => {
    expect(() => kafkaTransport({ brokers, [option]: value })).toThrow(
      expect.objectContaining({ code: 'EVT_OPTION_INVALID', details: expect.objectContaining({ option }) }),
    )
  })

  test('beside a client of its own kind nothing says how kafkajs connects', () => {
    const client = kafkajsClient({ brokers })
    expect(() => kafkaTransport({ client, brokers })).toThrow(
      expect.objectContaining({ code: 'EVT_OPTION_INVALID', details: expect.objectContaining({ option: 'brokers' }) }),
    )
    expect(() => kafkaTransport({ client: { ...client, join: 5 as never } })).toThrow(/client\.join/)
  })
})
