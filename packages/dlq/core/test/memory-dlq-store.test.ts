import { isEvtError } from '@evt/core'
import { dlqStoreCases } from '../src/conformance/index.ts'
import { memoryDlqStore } from '../src/index.ts'

for (const { name, run } of dlqStoreCases(async () => memoryDlqStore())) test(name, run)

test('a full store refuses instead of dropping', async () => {
  const store = memoryDlqStore({ maxEntries: 1 })
  const letter = { id: '1', deadLetteredAt: new Date() } as Parameters<typeof store.append>[0][number]
  await store.append([letter])
  const error: unknown = await store.append([{ ...letter, id: '2' }]).catch((thrown: unknown) => thrown)
  expect(isEvtError(error, 'EVT_DLQ_FULL') && error.retryable).toBe(true)
})
