import { encodeTopic } from '@evt/core'
import { kafkaNames } from '../src/names.ts'

describe('names on Kafka', () => {
  const names = kafkaNames('p.')

  test('a group is found by its whole topic, not by how it begins or ends', () => {
    const group = names.group('orders/payment', names.topic('evt.order'))
    expect(names.consumerOf(group, names.topic('evt.order'))).toBe('orders/payment')
    expect(names.consumerOf(group, names.topic('evt.order.created'))).toBeUndefined()
    expect(names.consumerOf(group, 'order')).toBeUndefined()
    expect(
      names.consumerOf(
        names.group('orders/payment', names.retryTopic('orders/payment', 'evt.order')),
        names.topic('evt.order'),
      ),
    ).toBeUndefined()
  })

  test('own topics are legal, at most 249 bytes, distinct, and no encoded name of a user', () => {
    const long = 'x'.repeat(196)
    const all = [
      names.retryTopic('orders/payment', 'evt.order'),
      names.retryTopic('orders/payment2', 'evt.order'),
      names.retryTopic(`a/${long}`, 'evt.order'),
      names.retryTopic(`b/${long}`, 'evt.order'),
      names.retryTopic('orders/payment', `evt.${long}`),
      names.letters('evt.order'),
      names.letters(`evt.${long}`),
    ]
    expect(new Set(all).size).toBe(all.length)
    for (const name of all) {
      expect(name).toMatch(/^[A-Za-z0-9.-]{1,249}$/)
      // A single dash is followed by two hexadecimal digits wherever a name is encoded.
      expect(name.replaceAll('--', '')).toMatch(/-(?![0-9a-f]{2})/)
    }
    expect(encodeTopic('evt', 'order-retry')).toBe('evt.order--retry')
  })
})
