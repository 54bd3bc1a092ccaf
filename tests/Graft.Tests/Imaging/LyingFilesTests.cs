using System.Buffers.Binary;
using Graft.Imaging;
using SkiaSharp;

namespace Graft.Tests.Imaging;

/// <summary>Small files that claim much: refused before anything is allocated, or read in little memory.</summary>
public class LyingFilesTests
{
    [Fact]
    public void A_TIFF_tag_that_pixels_do_not_depend_on_may_claim_anything()
    {
        var file = WithTag(HandmadeTiff.Write(4, 4, 8, 3, 2, new byte[48], more: (50000, [1])), 50000, type: 12, count: 260_000_000);
        var (image, allocated) = Decode(file);
        Assert.Equal(4, image!.Width);
        Assert.InRange(allocated, 0, 1_000_000);
    }

    [Theory]
    [InlineData(258)]
    [InlineData(273)]
    [InlineData(279)]
    public void A_TIFF_tag_with_more_values_than_the_file_holds_is_refused(int tag) => AssertRefused(
        $"tag {tag} has 200000000 values", WithTag(HandmadeTiff.Write(4, 4, 8, 3, 2, new byte[48]), tag, type: 4, count: 200_000_000));

    [Fact]
    public void A_TIFF_of_more_strips_than_it_lists_is_refused() =>
        AssertRefused("1 of its 900000 strips", HandmadeTiff.Write(4, 900_000, 8, 1, 1, new byte[48], more: (278, [1])));

    [Fact]
    public void A_TIFF_with_two_widths_is_refused()
    {
        var file = HandmadeTiff.Write(4, 4, 8, 3, 2, new byte[48], more: (255, [5]));
        AssertRefused("tag 256 is there twice", WithTag(file, 255, type: 3, count: 1, newTag: 256));
    }

    /// <summary>The samples of all planes count, not those of one.</summary>
    [Fact]
    public void Many_planes_of_64_bits_are_refused_as_a_whole()
    {
        var (planes, side) = (32, 4000);
        var file = HandmadeTiff.Write(side, side, 64, planes, 1, new byte[48], more:
            [(259, [8]), (284, [2]), (339, [.. Enumerable.Repeat(3, planes)]), (278, [side]),
            (273, [.. Enumerable.Repeat(8, planes)]), (279, [.. Enumerable.Repeat(48, planes)])]);
        AssertRefused("32 samples of 64 bits", file);
    }

    [Theory]
    [InlineData("png")]
    [InlineData("gif")]
    [InlineData("bmp")]
    [InlineData("jpeg")]
    [InlineData("tiff")]
    public void More_pixels_than_the_bytes_can_hold_are_refused(string format)
    {
        var file = TestImages.Claiming(format, 8000, 9000);
        if (format == "tiff") file = WithTag(file, 259, type: 3, count: 1, value: 5);
        AssertRefused("truncated", file);
    }

    [Fact]
    public void The_memory_that_a_kind_of_picture_takes_is_limited_too()
    {
        var png = TestImages.Encode(new RgbImage(1000, 1000, new byte[3_000_000]), SKEncodedImageFormat.Png);
        Assert.Equal(1000, ImageDecoder.Decode(png, new() { MaxPixels = 1_000_000 }).Width);
        // Interlaced, 16 bits a sample: 8 bytes a pixel besides the 7.
        var costly = new HandmadePng(1000, 1000, bits: 16, color: 6, isInterlaced: true).WithRows([.. Enumerable.Repeat(new byte[8000], 1000)]);
        var refused = Assert.Throws<UnreadableImageException>(() => ImageDecoder.Decode(costly, new() { MaxPixels = 1_000_000 }));
        Assert.Contains("MiB of memory", refused.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_side_of_more_than_a_million_pixels_is_refused()
    {
        var file = HandmadeTiff.Write(1, 1_100_000, 8, 1, 1, new byte[1_100_000]);
        var refused = Assert.Throws<UnreadableImageException>(() => ImageDecoder.Decode(file));
        Assert.Contains("too long", refused.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_JPEG_whose_scans_would_take_too_long_is_refused()
    {
        var file = TestImages.Claiming("jpeg", 9900, 9900);
        file[file.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]) + 1] = 0xC2;
        var scan = file.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xDA]);
        // 21 interleaved scans of 98 million pixels; the file is long enough for their blocks.
        byte[] slow = [.. file[..scan], .. Enumerable.Repeat(file[scan..^2], 21).SelectMany(bytes => bytes), .. new byte[200_000], 0xFF, 0xD9];
        AssertRefused("take too long", slow);
    }

    public static TheoryData<string, byte[]> Intruders => new()
    {
        { "a second picture", [0xFF, 0xD8] },
        { "a second frame", [0xFF, 0xC2, 0, 17, 8, 0, 16, 0, 16, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1] },
        { "no meaning", [0xFF, 0x42] },
        { "scans after the last", [0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0] },
        { "a table in it is broken", [0xFF, 0xC4, 0, 19, 0, 255, .. new byte[15], 0] },
        { "a table in it is broken", [0xFF, 0xDB, 0, 4, 0, 1] },
        { "a table in it is broken", [0xFF, 0xDD, 0, 3, 0] },
    };

    /// <summary>The decoder stops at such a marker and fills the rest with gray; libjpeg and Pillow refuse it at the end.</summary>
    [Theory]
    [MemberData(nameof(Intruders))]
    public void A_marker_that_breaks_a_scan_off_is_damage(string reason, byte[] marker)
    {
        var file = TestImages.Encode(TestImages.Photo(64, 64), SKEncodedImageFormat.Jpeg);
        var middle = file.Length - 200;
        // Not between a 255 and what belongs to it.
        while (file[middle - 1] == 0xFF) middle++;
        var refused = Assert.Throws<UnreadableImageException>(
            () => ImageDecoder.Decode((byte[])[.. file[..middle], .. marker, .. file[middle..]]));
        Assert.Contains(reason, refused.Reason, StringComparison.Ordinal);
    }

    private static void AssertRefused(string reason, byte[] file)
    {
        var (image, allocated) = Decode(file, out var refused);
        Assert.Null(image);
        Assert.Contains(reason, refused, StringComparison.Ordinal);
        Assert.InRange(allocated, 0, 2_000_000);
    }

    private static (RgbImage? Image, long Allocated) Decode(byte[] file) => Decode(file, out _);

    private static (RgbImage? Image, long Allocated) Decode(byte[] file, out string? reason)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        RgbImage? image = null;
        reason = null;
        try
        {
            image = ImageDecoder.Decode(file);
        }
        catch (UnreadableImageException refused)
        {
            reason = refused.Reason;
        }
        return (image, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    /// <summary>A little-endian TIFF with another claim in a tag's entry.</summary>
    private static byte[] WithTag(byte[] tiff, int tag, short type, int count, int? value = null, int? newTag = null)
    {
        var copy = tiff.ToArray();
        var directory = BinaryPrimitives.ReadInt32LittleEndian(copy.AsSpan(4));
        for (var at = directory + 2; ; at += 12)
        {
            if (BinaryPrimitives.ReadUInt16LittleEndian(copy.AsSpan(at)) != tag) continue;
            BinaryPrimitives.WriteUInt16LittleEndian(copy.AsSpan(at), (ushort)(newTag ?? tag));
            BinaryPrimitives.WriteInt16LittleEndian(copy.AsSpan(at + 2), type);
            BinaryPrimitives.WriteInt32LittleEndian(copy.AsSpan(at + 4), count);
            if (value is { } given) BinaryPrimitives.WriteInt32LittleEndian(copy.AsSpan(at + 8), given);
            return copy;
        }
    }
}
