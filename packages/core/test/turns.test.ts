import { afterPromises, nextTurn } from '../src/turns.ts'

test('the event loop turns while a test runner holds the timers', async () => {
  jest.useFakeTimers()
  try {
    await afterPromises()
    await nextTurn()
  } finally {
    jest.useRealTimers()
  }
})
