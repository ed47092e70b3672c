import { mapEffect, mapEnd, type PathIr, usesOfEffect, usesOfEnd, type Value, type ValueId } from '../ir/path_ir.ts'

/**
 * Drops values that no effect and no end depends on, and renumbers the rest in the same order.
 *
 * In: a verified path. Out: a verified path with the same effects. Values are pure, so an unused one has no meaning.
 * A look-up that only dead values used goes too: the footprint is what the outcome depends on.
 */
export const eliminateDeadCode = (path: PathIr): PathIr => {
  const live = new Uint8Array(path.values.length)
  for (const effect of path.effects) for (const id of usesOfEffect(effect)) live[id] = 1
  for (const id of usesOfEnd(path.end)) live[id] = 1
  for (let id = path.values.length - 1; id >= 0; id--) {
    if (live[id] === 1) for (const argument of path.values[id]!.args) live[argument] = 1
  }
  const renumbered = new Map<ValueId, ValueId>()
  const values: Value[] = []
  path.values.forEach((value, id) => {
    if (live[id] !== 1) return
    renumbered.set(id, values.length)
    values.push({ ...value, args: value.args.map((argument) => renumbered.get(argument)!) })
  })
  const map = (id: ValueId): ValueId => renumbered.get(id)!
  return {
    ...path,
    values,
    effects: path.effects.map((effect) => mapEffect(effect, map)),
    end: mapEnd(path.end, map),
  }
}
