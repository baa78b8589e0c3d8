"use strict";
// What decodes in a page without a server: a small network run here, or pictures drawn beforehand.
window.darlaDecoders = (data) => {
  const { width, height } = data;

  const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

  const fromHalf = (half) => {
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    const size = exponent === 0 ? fraction * 2 ** -24 : 2 ** (exponent - 15) * (1 + fraction / 1024);
    return half & 0x8000 ? -size : size;
  };

  const ELEMENTWISE = {
    relu: (x) => (x > 0 ? x : 0),
    elu: (x) => (x > 0 ? x : Math.expm1(x)),
    sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  };

  const linear = (layer, x, weights) => {
    const [outputs, inputs] = layer.shape;
    const y = new Float32Array(outputs);
    for (let o = 0, w = layer.weight; o < outputs; o++, w += inputs) {
      let sum = layer.bias === null ? 0 : weights[layer.bias + o];
      for (let i = 0; i < inputs; i++) sum += weights[w + i] * x[i];
      y[o] = sum;
    }
    return y;
  };

  // Convolutions, plain and transposed, by adding each input's share to the outputs; channels are innermost. The
  // weights are [input channel][row][column][output channel].
  const convolution = (layer, x, weights) => {
    const { channels, kernel, stride, padding, transposed } = layer;
    const [rows, columns] = layer.size;
    const [outRows, outColumns] = layer.outSize;
    const [inputs, outputs] = channels;
    const y = new Float32Array(outRows * outColumns * outputs);
    if (layer.bias !== null) {
      const bias = weights.subarray(layer.bias, layer.bias + outputs);
      for (let at = 0; at < y.length; at += outputs) y.set(bias, at);
    }
    const target = (place, k) => {
      if (transposed) return place * stride - padding + k;
      const shifted = place + padding - k;
      return shifted % stride ? -1 : shifted / stride;
    };
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        for (let input = 0; input < inputs; input++) {
          const value = x[(row * columns + column) * inputs + input];
          if (value === 0) continue;
          for (let ky = 0; ky < kernel; ky++) {
            const outRow = target(row, ky);
            if (outRow < 0 || outRow >= outRows) continue;
            for (let kx = 0; kx < kernel; kx++) {
              const outColumn = target(column, kx);
              if (outColumn < 0 || outColumn >= outColumns) continue;
              const to = (outRow * outColumns + outColumn) * outputs;
              const from = layer.weight + ((input * kernel + ky) * kernel + kx) * outputs;
              for (let output = 0; output < outputs; output++) y[to + output] += value * weights[from + output];
            }
          }
        }
      }
    }
    return y;
  };

  // From channels outermost, as PyTorch flattens them, to channels innermost, and back.
  const channelsLast = ([channels, rows, columns], x) => {
    const y = new Float32Array(x.length);
    const places = rows * columns;
    for (let c = 0; c < channels; c++) for (let p = 0; p < places; p++) y[p * channels + c] = x[c * places + p];
    return y;
  };
  const channelsFirst = ([channels, rows, columns], x) => {
    const y = new Float32Array(x.length);
    const places = rows * columns;
    for (let c = 0; c < channels; c++) for (let p = 0; p < places; p++) y[c * places + p] = x[p * channels + c];
    return y;
  };

  const network = ({ layers, weights: stored, channels }) => {
    const halves = new Uint16Array(bytes(stored).buffer);
    const weights = Float32Array.from(halves, fromHalf);
    return async (code) => {
      let x = Float32Array.from(code);
      for (const layer of layers) {
        if (layer.op === "linear") x = linear(layer, x, weights);
        else if (layer.op === "convolution") x = convolution(layer, x, weights);
        else if (layer.op === "unflatten") x = channelsLast(layer.shape, x);
        else if (layer.op === "flatten") x = channelsFirst(layer.shape, x);
        else x = x.map(ELEMENTWISE[layer.op]);
      }
      const pixels = new Uint8ClampedArray(width * height * 4);
      for (let place = 0; place < width * height; place++) {
        for (let c = 0; c < 4; c++) {
          const value = c === 3 && channels < 4 ? 1 : x[place * channels + (channels === 1 ? 0 : c)];
          pixels[place * 4 + c] = 255 * value; // a clamped array rounds
        }
      }
      return { pixels, policy: null };
    };
  };

  // Sheets: for each image of the page a picture of tiles. The first row has the image's own code, below it is a row for
  // each latent in the order of the page, with its values from low to high.
  const sheets = ({ urls, values }, encoder) => {
    const opened = new Map();
    const rowOf = new Map(encoder.latents.map((latent, row) => [latent.index, row + 1]));
    const open = (frame) => {
      if (!opened.has(frame)) {
        const image = new Image();
        image.src = urls[frame];
        opened.set(frame, image.decode().then(() => image));
      }
      return opened.get(frame);
    };
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    const pen = canvas.getContext("2d", { willReadFrequently: true });
    return async (code, { moved, frame }) => {
      const sheet = await open(frame ?? 0);
      let row = 0;
      let column = 0;
      if (moved !== null) {
        const { low, high } = encoder.latents[rowOf.get(moved) - 1];
        row = rowOf.get(moved);
        column = Math.min(values - 1, Math.max(0, Math.round(((code[moved] - low) / (high - low)) * (values - 1))));
      }
      pen.clearRect(0, 0, width, height);
      pen.drawImage(sheet, column * width, row * height, width, height, 0, 0, width, height);
      return { pixels: pen.getImageData(0, 0, width, height).data, policy: null };
    };
  };

  const kinds = { network, sheets };
  const decoders = data.decoders.map((decoder, number) => kinds[decoder.kind](decoder, data.encoders[number]));
  return {
    oneAtATime: data.decoders.some((decoder) => decoder.kind === "sheets"),
    decode: (number, code, shown) => decoders[number](code, shown),
  };
};
