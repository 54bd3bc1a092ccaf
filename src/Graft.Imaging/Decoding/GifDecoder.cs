using System.Buffers.Binary;

namespace Graft.Imaging;

/// <summary>
/// The first frame of a GIF (GIF89a specification) on its canvas, as Pillow has it: transparent pixels keep their palette
/// color, what the frame leaves free has the transparent color, else the first, and a frame that is larger than the
/// canvas enlarges it.
/// </summary>
internal static class GifDecoder
{
    private const int LargestCode = 4096;

    public static RgbImage Decode(ReadOnlySpan<byte> file, DecodingOptions options, DecodingLease lease)
    {
        var reader = new Reader(file);
        var screen = reader.Take(13);
        // Without a palette, and beyond its end, an index is a shade of gray.
        Span<byte> palette = stackalloc byte[256 * 3];
        for (var i = 0; i < palette.Length; i++) palette[i] = (byte)(i / 3);
        if ((screen[10] & 0x80) != 0) reader.Take(3 * (2 << (screen[10] & 7))).CopyTo(palette);
        var background = 0;
        while (reader.Take(1)[0] is var block && block != ',')
        {
            switch (block)
            {
                case (byte)'!':
                    var isControl = reader.Take(1)[0] == 0xF9;
                    var data = reader.Block();
                    if (isControl && data.Length >= 4 && (data[0] & 1) != 0) background = data[3];
                    while (!data.IsEmpty) data = reader.Block();
                    break;
                case (byte)';':
                    throw new UnreadableImageException("broken GIF: it has no picture");
            }
        }
        var frame = reader.Take(9);
        var (left, top, width, height) = (Number(frame), Number(frame[2..]), Number(frame[4..]), Number(frame[6..]));
        if ((frame[8] & 0x80) != 0)
        {
            for (var i = 0; i < palette.Length; i++) palette[i] = (byte)(i / 3);
            reader.Take(3 * (2 << (frame[8] & 7))).CopyTo(palette);
        }
        var (canvasWidth, canvasHeight) = (Math.Max(Number(screen[6..]), left + width), Math.Max(Number(screen[8..]), top + height));
        options.CheckPixels(width, height);
        options.CheckPixels(canvasWidth, canvasHeight);
        var codeBits = reader.Take(1)[0];
        if (codeBits > 11) throw Damaged("its codes have an impossible size");
        if ((long)width * height > MostPixels(reader.Left, codeBits)) throw Truncated();

        lease.Take(canvasWidth, canvasHeight, 3L * canvasWidth * canvasHeight + width);
        var image = RgbImage.Uninitialized(canvasWidth, canvasHeight);
        var color = palette.Slice(background * 3, 3);
        if (width < canvasWidth || height < canvasHeight) Fill(image.Pixels, color);
        var codes = new Codes(reader, codeBits);
        var row = new byte[width];
        foreach (var y in Rows(height, isInterlaced: (frame[8] & 0x40) != 0))
        {
            codes.Read(row);
            var target = image.Row(top + y)[(left * 3)..];
            for (var x = 0; x < width; x++) palette.Slice(row[x] * 3, 3).CopyTo(target[(x * 3)..]);
        }
        return image;
    }

    /// <summary>Each code is at most one pixel longer than the longest before it, and has more bits than a pixel.</summary>
    private static long MostPixels(long bytes, int codeBits)
    {
        var codes = bytes * 8 / (codeBits + 1);
        return Math.Min(codes, LargestCode) * Math.Min(codes, LargestCode) + Math.Max(codes - LargestCode, 0) * LargestCode;
    }

    /// <summary>Appendix E: every eighth row, those between, every fourth, every second.</summary>
    private static IEnumerable<int> Rows(int height, bool isInterlaced)
    {
        (int First, int Step)[] passes = isInterlaced ? [(0, 8), (4, 8), (2, 4), (1, 2)] : [(0, 1)];
        foreach (var (first, step) in passes)
            for (var y = first; y < height; y += step) yield return y;
    }

    private static void Fill(Span<byte> pixels, ReadOnlySpan<byte> color)
    {
        color.CopyTo(pixels);
        // What is filled is copied behind itself.
        for (var done = 3; done < pixels.Length; done *= 2)
            pixels[..Math.Min(done, pixels.Length - done)].CopyTo(pixels[done..]);
    }

    private static int Number(ReadOnlySpan<byte> field) => BinaryPrimitives.ReadUInt16LittleEndian(field);

    private static UnreadableImageException Truncated() => new(Completeness.Truncated(ImageFormat.Gif));

    private static UnreadableImageException Damaged(string what) => new($"damaged GIF: {what}");

    private ref struct Reader(ReadOnlySpan<byte> file)
    {
        private ReadOnlySpan<byte> _left = file;

        public readonly int Left => _left.Length;

        public ReadOnlySpan<byte> Take(int bytes)
        {
            if (bytes > _left.Length) throw Truncated();
            var taken = _left[..bytes];
            _left = _left[bytes..];
            return taken;
        }

        /// <summary>A data sub-block; empty at the end of a series.</summary>
        public ReadOnlySpan<byte> Block() => Take(Take(1)[0]);
    }

    /// <summary>Variable-length codes (appendix F) of the sub-blocks that follow.</summary>
    private ref struct Codes
    {
        private readonly ushort[] _prefixes = new ushort[LargestCode];
        private readonly byte[] _suffixes = new byte[LargestCode];

        // The pixels of a code that did not fit into its row, last first.
        private readonly byte[] _pixels = new byte[LargestCode + 1];
        private readonly int _codeBits, _clear;
        private Reader _reader;
        private ReadOnlySpan<byte> _block;
        private uint _bits;
        private int _bitCount, _size, _next, _previous, _pending;
        private byte _firstOfPrevious;

        public Codes(Reader reader, int codeBits)
        {
            _reader = reader;
            (_codeBits, _clear) = (codeBits, 1 << codeBits);
            for (var i = 0; i < _clear; i++) _suffixes[i] = (byte)i;
            Clear();
        }

        public void Read(Span<byte> row)
        {
            for (var x = 0; x < row.Length;)
            {
                if (_pending == 0) Decode(Code());
                while (_pending > 0 && x < row.Length) row[x++] = _pixels[--_pending];
            }
        }

        private void Clear() => (_size, _next, _previous) = (_codeBits + 1, _clear + 2, -1);

        private void Decode(int code)
        {
            if (code == _clear)
            {
                Clear();
                return;
            }
            if (code == _clear + 1) throw Truncated();
            if (code > _next || (code == _next && _previous < 0)) throw Damaged("it uses a code before it is known");
            var at = code;
            if (code == _next)
            {
                _pixels[_pending++] = _firstOfPrevious;
                at = _previous;
            }
            for (; at >= _clear + 2; at = _prefixes[at]) _pixels[_pending++] = _suffixes[at];
            if (at >= _clear) throw Damaged("it uses a code before it is known");
            _pixels[_pending++] = _firstOfPrevious = _suffixes[at];
            if (_previous >= 0 && _next < LargestCode)
            {
                (_prefixes[_next], _suffixes[_next]) = ((ushort)_previous, _firstOfPrevious);
                if (++_next == 1 << _size && _size < 12) _size++;
            }
            _previous = code;
        }

        private int Code()
        {
            while (_bitCount < _size)
            {
                if (_block.IsEmpty && (_block = _reader.Block()).IsEmpty) throw Truncated();
                _bits |= (uint)_block[0] << _bitCount;
                _bitCount += 8;
                _block = _block[1..];
            }
            var code = (int)(_bits & ((1u << _size) - 1));
            _bits >>= _size;
            _bitCount -= _size;
            return code;
        }
    }
}
