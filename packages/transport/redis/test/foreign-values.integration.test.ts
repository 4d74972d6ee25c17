import { silentLogger } from '@evt/core'
import { redis } from '@evt/servers'
import { acknowledge, consumeAs, freshPlace, message, publish, readSome, textOf, topic } from './test-place.ts'

redis.describe('what somebody else wrote into the keys of a group', () => {
  const place = freshPlace()

  test('among the delayed messages is dead-lettered and told, and what is a message comes when it is due', async () => {
    const warned: object[] = []
    const logger = { ...silentLogger, warn: (fields: object) => void warned.push(fields) }
    const transport = await place.transport({ logger })
    const consumer = await consumeAs(transport, 'a')
    await publish(transport, 1)
    const [first] = await readSome(consumer, 1)
    // No MessagePack, a number, a list that is no list of fields, and one with too many of them.
    const many = Buffer.concat([Buffer.from([0xdc, 0xff, 0xff]), Buffer.alloc(65_535, 1)])
    const strange = [Buffer.from('garbage'), Buffer.from([0x07]), Buffer.from([0x91, 0xa1, 0x61]), many]
    for (const each of strange) await place.client.zadd(place.key('group:test/a:due'), '-inf', each)
    await place.client.zadd(place.key('group:test/a:due'), '+inf', 'never')
    await consumer.settle([{ delivery: first!, as: 'retry', attempt: 2, afterMs: 10 }])
    const [again] = await readSome(consumer, 1)
    expect(again).toMatchObject({ attempt: 2, position: first!.position })
    await acknowledge(consumer, [again!])
    const letters = await transport.readDeadLetters(topic, { after: undefined, limit: 10 })
    expect(letters.map(({ payload }) => Buffer.from(payload)).sort(Buffer.compare)).toEqual(
      strange.sort(Buffer.compare),
    )
    expect(letters.every((letter) => letter.consumer === 'test/a' && letter.reason !== '')).toBe(true)
    // At most two lines a second.
    expect(warned[0]).toMatchObject({ topic, consumer: 'test/a' })
    expect(await transport.inspect(topic)).toMatchObject([{ delayed: 1, deadLettered: strange.length }])
    await consumer.close()
  })

  test('as a count of cuts or of dead letters ends no read, and no letter is written twice for it', async () => {
    const transport = await place.transport()
    const consumer = await consumeAs(transport, 'a')
    await place.client.hset(place.key('cuts'), 'test/a', 'many')
    await place.client.hset(place.key('dead-letter-counts'), 'test/a', 'some')
    expect(await transport.publish([message('one'), message('two')])).toEqual([])
    const [one, two] = await readSome(consumer, 2)
    await consumer.settle([{ delivery: one!, as: 'deadLetter', reason: 'no', history: [] }])
    await acknowledge(consumer, [two!])
    const letters = await transport.readDeadLetters(topic, { after: undefined, limit: 10 })
    expect(letters.map(({ payload }) => Buffer.from(payload).toString())).toEqual(['one'])
    expect(await transport.inspect(topic)).toMatchObject([{ running: 0, lag: 0, deadLettered: 0 }])
    expect(textOf(two!)).toBe('two')
    await consumer.close()
  })
})
