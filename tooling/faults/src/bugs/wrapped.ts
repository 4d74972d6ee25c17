/** A value with some of its verbs replaced. */
export function wrapped<Value extends object>(right: Value, wrong: Partial<Value>): Value {
  return { ...right, ...wrong }
}
