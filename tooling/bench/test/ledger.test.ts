import { Ledger } from '../src/ledger.ts'

describe('the ledger of a round', () => {
  const sent = (...ids: readonly string[]) => {
    const ledger = new Ledger()
    for (const id of ids) ledger.sent(id, `payload of ${id}`)
    return ledger
  }

  it('accepts a round in which each handler got every message once', () => {
    const ledger = sent('a', 'b')
    for (const handler of [0, 1])
      for (const id of ['b', 'a']) ledger.handled(id, Buffer.from(`payload of ${id}`), handler)
    expect(ledger.check('evt', 2)).toEqual({ sent: 2, duplicates: 0 })
  })

  it('counts what was handled again', () => {
    const ledger = sent('a', 'b')
    for (const id of ['a', 'b', 'a', 'a']) ledger.handled(id)
    expect(ledger.check('evt', 2)).toEqual({ sent: 2, duplicates: 2 })
  })

  it('refuses a round that lost a message, also at one handler of two', () => {
    const ledger = sent('a', 'b')
    for (const id of ['a', 'b']) ledger.handled(id, undefined, 0)
    ledger.handled('a', undefined, 1)
    expect(() => ledger.check('evt', 2)).toThrow('evt: handler 1 lost 1 messages')
  })

  it('refuses a round in which an expected handler got nothing', () => {
    const ledger = sent('a')
    ledger.expectHandlers(2)
    ledger.handled('a')
    expect(() => ledger.check('evt', 1)).toThrow('handler 1 lost 1')
  })

  it('refuses a duplicate that stands for a lost message', () => {
    const ledger = sent('a', 'b')
    for (const id of ['a', 'a']) ledger.handled(id)
    expect(() => ledger.check('evt', 2)).toThrow('lost 1')
  })

  it('refuses a message that nobody sent', () => {
    const ledger = sent('a')
    for (const id of ['a', 'ghost']) ledger.handled(id)
    expect(() => ledger.check('evt', 1)).toThrow('got ghost, which was not sent')
  })

  it('refuses a payload that was altered on the way', () => {
    const ledger = sent('a')
    ledger.handled('a', 'payload of b')
    expect(() => ledger.check('evt', 1)).toThrow('another payload')
  })

  it('refuses a round that sent fewer messages, or one id twice', () => {
    expect(() => sent('a').check('evt', 2)).toThrow('1 messages with 1 ids were sent instead of 2')
    expect(() => sent('a', 'a').check('evt', 2)).toThrow('2 messages with 1 ids')
  })

  it('refuses a round that no handler saw', () => {
    expect(() => sent('a').check('evt', 1)).toThrow('nothing was handled')
  })
})
