import type { ComputeDevice } from './compute_device.ts'

/** The device with some of its members replaced; the others are its own. For devices that check, count or delay. */
export const decorated = (device: ComputeDevice, own: Partial<ComputeDevice>): ComputeDevice =>
  new Proxy(device, {
    get: (target, name) => {
      if (Object.hasOwn(own, name)) return Reflect.get(own, name)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
