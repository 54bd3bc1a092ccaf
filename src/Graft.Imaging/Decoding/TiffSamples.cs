using System.Runtime.InteropServices;
using BitMiracle.LibTiff.Classic;

namespace Graft.Imaging;

/// <summary>Turns the samples of TIFF rows into RGB.</summary>
internal sealed class TiffSamples
{
    private readonly TiffLayout _layout;
    private readonly byte[] _samples;
    private readonly byte[] _palette = [];

    public TiffSamples(Tiff tiff, TiffLayout layout)
    {
        _layout = layout;
        // [BlockWidth, Samples], 8 bits each
        _samples = new byte[checked(layout.BlockWidth * layout.Samples)];
        if (layout.Photometric == Photometric.PALETTE) _palette = Palette(tiff, 1 << layout.Bits);
    }

    /// <summary>
    /// One row: its bytes lie at <paramref name="offset"/> of each plane's block; of the only block if chunky.
    /// </summary>
    public void Convert(byte[][] planes, int offset, Span<byte> rgb)
    {
        var (samples, pixels) = (_layout.Samples, rgb.Length / 3);
        if (planes.Length == 1)
        {
            Widen(planes[0].AsSpan(offset, _layout.RowBytes), pixels * samples, _samples, 1);
        }
        else
        {
            for (var plane = 0; plane < planes.Length; plane++)
                Widen(planes[plane].AsSpan(offset, _layout.RowBytes), pixels, _samples.AsSpan(plane), samples);
        }
        if (_layout is { Photometric: Photometric.RGB, Samples: 3 }) _samples.AsSpan(0, rgb.Length).CopyTo(rgb);
        else for (var x = 0; x < pixels; x++) Color(_samples.AsSpan(x * samples, samples), rgb.Slice(x * 3, 3));
    }

    private void Color(ReadOnlySpan<byte> from, Span<byte> to)
    {
        switch (_layout.Photometric)
        {
            case Photometric.RGB:
                from[..3].CopyTo(to);
                if (_layout.PremultipliedAlpha && from.Length > 3 && from[3] is > 0 and < 255) Divide(to, from[3]);
                break;
            case Photometric.PALETTE:
                _palette.AsSpan(from[0] * 3, 3).CopyTo(to);
                break;
            case Photometric.SEPARATED:
                var white = 255 - from[3];
                for (var i = 0; i < 3; i++) to[i] = (byte)(white - (from[i] * white + 127) / 255);
                break;
            case Photometric.CIELAB:
                CieLab.ToRgb(from[0], (sbyte)from[1], (sbyte)from[2], to);
                break;
            default:
                to.Fill(_layout.Photometric == Photometric.MINISWHITE ? (byte)~from[0] : from[0]);
                if (_layout.PremultipliedAlpha && from.Length > 1 && from[1] is > 0 and < 255) Divide(to, from[1]);
                break;
        }
    }

    private static void Divide(Span<byte> color, int alpha)
    {
        foreach (ref var sample in color) sample = (byte)Math.Min(255 * sample / alpha, 255);
    }

    /// <summary>
    /// Samples to 8 bits, <paramref name="stride"/> apart: up to 16 bits scaled; 32-bit integers and floats, which have
    /// no agreed white, clipped to 0..255 as in Pillow. Palette indices stay as they are.
    /// </summary>
    private void Widen(ReadOnlySpan<byte> row, int count, Span<byte> to, int stride)
    {
        switch (_layout.Bits, _layout.Format)
        {
            case (8, SampleFormat.UINT or SampleFormat.VOID) when stride == 1:
                row[..count].CopyTo(to);
                break;
            case (8, _):
                for (var i = 0; i < count; i++)
                    to[i * stride] = Signed ? (byte)(Math.Max((sbyte)row[i], (sbyte)0) << 1) : row[i];
                break;
            case (16, _):
                var words = MemoryMarshal.Cast<byte, ushort>(row);
                for (var i = 0; i < count; i++)
                    to[i * stride] = (byte)(Signed ? Math.Max((short)words[i], (short)0) >> 7 : words[i] >> 8);
                break;
            case (32, SampleFormat.IEEEFP):
                var floats = MemoryMarshal.Cast<byte, float>(row);
                for (var i = 0; i < count; i++) to[i * stride] = (byte)Math.Clamp(floats[i], 0, 255);
                break;
            case (64, _):
                var doubles = MemoryMarshal.Cast<byte, double>(row);
                for (var i = 0; i < count; i++) to[i * stride] = (byte)Math.Clamp(doubles[i], 0, 255);
                break;
            case (32, _):
                var integers = MemoryMarshal.Cast<byte, int>(row);
                for (var i = 0; i < count; i++)
                    to[i * stride] = (byte)Math.Clamp(Signed ? integers[i] : (uint)integers[i], 0, 255);
                break;
            case (1, _) when _layout.Photometric != Photometric.PALETTE:
                for (var i = 0; i < count; i++) to[i * stride] = (byte)-(row[i >> 3] >> (7 - (i & 7)) & 1);
                break;
            default:
                var largest = _layout.Photometric == Photometric.PALETTE ? 255 : (1 << _layout.Bits) - 1;
                for (var i = 0; i < count; i++) to[i * stride] = (byte)((Bits(row, i) * 255 + largest / 2) / largest);
                break;
        }
    }

    private bool Signed => _layout.Format == SampleFormat.INT;

    private int Bits(ReadOnlySpan<byte> row, int index)
    {
        var value = 0;
        for (var (bit, end) = ((long)index * _layout.Bits, (index + 1L) * _layout.Bits); bit < end; bit++)
            value = value << 1 | row[(int)(bit >> 3)] >> (7 - (int)(bit & 7)) & 1;
        return value;
    }

    /// <summary>
    /// [colors, 3]; 16-bit entries, except of writers that stored 8 bits, which libtiff and Pillow mend too.
    /// </summary>
    private static byte[] Palette(Tiff tiff, int colors)
    {
        var map = tiff.GetField(TiffTag.COLORMAP)
            ?? throw new UnreadableImageException("damaged TIFF: its palette is missing");
        var channels = new[] { map[0].ToUShortArray(), map[1].ToUShortArray(), map[2].ToUShortArray() };
        var deep = channels.Any(channel => channel.Any(value => value > 255));
        var palette = new byte[256 * 3];
        for (var i = 0; i < colors; i++)
        {
            for (var channel = 0; channel < 3; channel++)
                palette[i * 3 + channel] = (byte)(deep ? channels[channel][i] >> 8 : channels[channel][i]);
        }
        return palette;
    }
}
