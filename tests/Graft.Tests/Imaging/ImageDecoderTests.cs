using System.Runtime.InteropServices;
using Graft.Imaging;
using Graft.Testing;
using SkiaSharp;

namespace Graft.Tests.Imaging;

public class ImageDecoderTests
{
    public static TheoryData<SKEncodedImageFormat> Encoded =>
        [SKEncodedImageFormat.Jpeg, SKEncodedImageFormat.Png, SKEncodedImageFormat.Webp];

    [Fact]
    public void A_lossless_file_gives_back_its_pixels()
    {
        var image = TestImages.Noise(31, 17, seed: 5);
        var decoded = ImageDecoder.Decode(TestImages.Encode(image, SKEncodedImageFormat.Png));
        Assert.Equal((31, 17), (decoded.Width, decoded.Height));
        Assert.Equal(image.Pixels, decoded.Pixels);
    }

    [Theory]
    [InlineData(6)]
    [InlineData(4)]
    public void Alpha_is_dropped_and_colors_stay_even_where_nothing_shows(byte color)
    {
        byte[] row = color == 6 ? [10, 20, 30, 0, 40, 50, 60, 128, 70, 80, 90, 255] : [10, 0, 40, 128, 70, 255];
        byte[] expected = color == 6 ? [10, 20, 30, 40, 50, 60, 70, 80, 90] : [10, 10, 10, 40, 40, 40, 70, 70, 70];
        Assert.Equal(expected, ImageDecoder.Decode(new HandmadePng(3, 1, 8, color).WithRows(row)).Pixels);
    }

    [Fact]
    public void A_transparent_palette_color_stays_that_color()
    {
        var png = new HandmadePng(4, 1, bits: 2, color: 3)
            .Chunk("PLTE"u8, [9, 8, 7, 200, 100, 50, 1, 2, 3]).Chunk("tRNS"u8, [0, 255, 0]).WithRows([0b00_01_10_01]);
        Assert.Equal([9, 8, 7, 200, 100, 50, 1, 2, 3, 200, 100, 50], ImageDecoder.Decode(png).Pixels);
    }

    [Fact]
    public void A_transparent_GIF_color_stays_that_color()
    {
        Assert.Equal([9, 8, 7, 200, 100, 50], ImageDecoder.Decode(TestImages.Gif(2, 1)).Pixels);
    }

    [Fact]
    public void Bits_and_sixteen_bit_samples_become_bytes()
    {
        var bits = ImageDecoder.Decode(new HandmadePng(8, 1, bits: 1, color: 0).WithRows([0b10110001]));
        Assert.Equal([255, 0, 255, 255, 0, 0, 0, 255], bits.Pixels.Chunk(3).Select(pixel => pixel[1]));

        var gray = ImageDecoder.Decode(new HandmadePng(3, 1, bits: 16, color: 0).WithRows([0, 255, 128, 0, 255, 255]));
        Assert.Equal([0, 0, 0, 128, 128, 128, 255, 255, 255], gray.Pixels);

        var rgb = ImageDecoder.Decode(new HandmadePng(1, 1, bits: 16, color: 2).WithRows([1, 200, 128, 0, 255, 255]));
        Assert.Equal([1, 128, 255], rgb.Pixels);
    }

    [Fact]
    public void TIFF_samples_of_every_kind_become_bytes()
    {
        Assert.Equal([0, 1, 127, 255], Reds(HandmadeTiff.Write(4, 1, 16, 1, 1, [255, 0, 0, 1, 255, 127, 255, 255])));
        Assert.Equal([255, 0, 128, 0], Reds(HandmadeTiff.Write(4, 1, 8, 1, 0, [0, 255, 127, 255])));
        Assert.Equal([0, 85, 170, 255], Reds(HandmadeTiff.Write(4, 1, 2, 1, 1, [0b00_01_10_11])));
        Assert.Equal([0, 17, 238, 255], Reds(HandmadeTiff.Write(4, 1, 4, 1, 1, [0x01, 0xEF])));
        Assert.Equal([255, 0, 255, 255], Reds(HandmadeTiff.Write(4, 1, 1, 1, 1, [0b1011_0000])));
        var floats = MemoryMarshal.AsBytes<float>([-3f, 12.7f, 300f, float.NaN]);
        Assert.Equal([0, 12, 255, 0], Reds(HandmadeTiff.Write(4, 1, 32, 1, 1, floats, more: (339, [3]))));
        // C 0, M 255, Y 51 over K 0, then K 255: 255 - K scaled by 255 - C and so on.
        Assert.Equal([255, 0, 204, 0, 0, 0], Pixels(HandmadeTiff.Write(2, 1, 8, 4, 5, [0, 255, 51, 0, 0, 0, 0, 255])));
        // Extra samples: 2 is plain alpha and dropped, 1 is premultiplied alpha and undone first.
        Assert.Equal([10, 20, 30], Pixels(HandmadeTiff.Write(1, 1, 8, 4, 2, [10, 20, 30, 0], more: (338, [2]))));
        Assert.Equal([20, 40, 60], Pixels(HandmadeTiff.Write(1, 1, 8, 4, 2, [10, 20, 30, 127], more: (338, [1]))));
        var planes = HandmadeTiff.Write(2, 1, 8, 3, 2, [1, 2, 3, 4, 5, 6], more: (284, [1]));
        Assert.Equal([1, 2, 3, 4, 5, 6], Pixels(planes));

        static byte[] Pixels(byte[] file) => ImageDecoder.Decode(file).Pixels;

        static IEnumerable<byte> Reds(byte[] file) => Pixels(file).Chunk(3).Select(pixel => pixel[0]);
    }

    [Fact]
    public void A_TIFF_palette_is_looked_up()
    {
        int[] map = [.. Enumerable.Range(0, 768).Select(i => (i % 256 * 3 + i / 256) % 256 * 257)];
        var image = ImageDecoder.Decode(HandmadeTiff.Write(2, 1, 8, 1, 3, [0, 50], more: (320, map)));
        Assert.Equal([0, 1, 2, 150, 151, 152], image.Pixels);
    }

    public static TheoryData<string> Bombs => ["png", "gif", "bmp", "tiff", "jpeg"];

    [Theory]
    [MemberData(nameof(Bombs))]
    public void A_claim_of_too_many_pixels_is_refused_before_decoding(string format)
    {
        var file = TestImages.Claiming(format, 40_000, 30_000);
        var allocated = GC.GetAllocatedBytesForCurrentThread();
        var refused = Assert.Throws<UnreadableImageException>(() => ImageDecoder.Decode(file));
        Assert.Contains("too large: 40000 × 30000 pixels", refused.Reason, StringComparison.Ordinal);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - allocated, 0, 1_000_000);
    }

    [Fact]
    public void The_pixel_limit_is_the_callers()
    {
        var file = TestImages.Encode(TestImages.Noise(10, 10, 1), SKEncodedImageFormat.Png);
        Assert.Equal(10, ImageDecoder.Decode(file, new() { MaxPixels = 100 }).Width);
        Assert.Throws<UnreadableImageException>(() => ImageDecoder.Decode(file, new() { MaxPixels = 99 }));
        Assert.Throws<UnreadableImageException>(() => ImageDecoder.Decode(file, new() { MaxFileBytes = 99 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new DecodingOptions { MaxPixels = 0 });
        Assert.Throws<ArgumentOutOfRangeException>(() => new DecodingOptions { MaxPixels = 500_000_001 });
    }

    [Theory]
    [MemberData(nameof(Encoded))]
    public void A_file_cut_anywhere_is_no_picture(SKEncodedImageFormat format)
    {
        var file = TestImages.Encode(TestImages.Photo(80, 60), format);
        // The last 12 bytes of a PNG are its IEND chunk, which holds nothing.
        var end = file.Length - (format == SKEncodedImageFormat.Png ? 13 : 1);
        for (var length = end; length > 0; length -= 1 + length / 100)
            Assert.Throws<UnreadableImageException>(() => ImageDecoder.Decode(file.AsMemory(0, length)));
        var cut = Assert.Throws<UnreadableImageException>(() => ImageDecoder.Decode(file.AsMemory(0, file.Length / 2)));
        Assert.Contains("truncated", cut.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_cut_TIFF_is_no_picture()
    {
        var file = HandmadeTiff.Write(4, 4, 8, 3, 2, new byte[48], claimedHeight: 50);
        var refused = Assert.Throws<UnreadableImageException>(() => ImageDecoder.Decode(file));
        Assert.Contains("truncated", refused.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_JPEG_of_endless_scans_is_refused()
    {
        var file = TestImages.Encode(TestImages.Photo(16, 16), SKEncodedImageFormat.Jpeg);
        var scan = file.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xDA]);
        var scans = Enumerable.Repeat(file[scan..^2], 100).SelectMany(bytes => bytes);
        byte[] bomb = [.. file[..scan], .. scans, 0xFF, 0xD9];
        var refused = Assert.Throws<UnreadableImageException>(() => ImageDecoder.Decode(bomb));
        Assert.Contains("scans", refused.Reason, StringComparison.Ordinal);
    }

    /// <summary>Whatever bytes are wrong: a picture or the one exception.</summary>
    [Fact]
    public void Damaged_bytes_end_in_a_picture_or_a_reason()
    {
        var photo = TestImages.Photo(40, 30);
        byte[][] files =
        [
            .. Encoded.Select(row => TestImages.Encode(photo, row.Data)), TestImages.Gif(2, 1), TestImages.Claiming("bmp", 4, 4),
            HandmadeTiff.Write(4, 4, 8, 3, 2, new byte[48]), HandmadeTiff.Write(16, 2, 1, 1, 1, new byte[4]),
        ];
        var random = new Random(6);
        var pictures = 0;
        for (var i = 0; i < 1400; i++)
        {
            var file = (byte[])files[i % files.Length].Clone();
            for (var j = random.Next(1, 4); j > 0; j--)
                file[random.Next(Math.Min(file.Length, j % 2 == 0 ? 200 : file.Length))] = (byte)random.Next(256);
            try
            {
                ImageDecoder.Decode(file, new() { MaxPixels = 1_000_000 });
                pictures++;
            }
            catch (UnreadableImageException unreadable)
            {
                Assert.DoesNotContain('\n', unreadable.Reason);
            }
        }
        Assert.InRange(pictures, 100, 1300);
    }

    [Fact]
    public void What_cannot_be_read_is_named_with_its_reason()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder.File("empty.jpg"), []);
        File.WriteAllText(folder.File("notes.jpg"), "These are notes.");
        File.WriteAllBytes(folder.File("phone.jpg"), [0, 0, 0, 24, .. "ftypheic"u8, 0, 0, 0, 0]);
        Assert.Equal("the file is empty", Reason("empty.jpg"));
        Assert.StartsWith("not a picture", Reason("notes.jpg"), StringComparison.Ordinal);
        Assert.StartsWith("a HEIC picture", Reason("phone.jpg"), StringComparison.Ordinal);
        Assert.Equal("there is no such file", Reason("missing.jpg"));
        Assert.Equal("this is a folder, not a picture", Reason("."));

        string Reason(string name)
        {
            var path = Path.Combine(folder.FullName, name);
            var unreadable = Assert.Throws<UnreadableImageException>(() => ImageDecoder.Decode(path));
            Assert.Equal(path, unreadable.Path);
            Assert.Equal($"{path}: {unreadable.Reason}", unreadable.Message);
            return unreadable.Reason;
        }
    }

    [Fact]
    public void A_file_without_permission_is_named_with_its_reason()
    {
        Assert.SkipWhen(
            OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess, "Permissions do not bind this user.");
        using var folder = new TemporaryFolder();
        var path = folder.File("locked.png");
        File.WriteAllBytes(path, TestImages.Gif(2, 1));
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, UnixFileMode.None);
        var unreadable = Assert.Throws<UnreadableImageException>(() => ImageDecoder.Decode(path));
        Assert.Contains("permission", unreadable.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Signatures_tell_pictures_from_other_files()
    {
        var image = TestImages.Noise(4, 4, seed: 1);
        foreach (var row in Encoded) Assert.True(ImageDecoder.LooksLikeImage(TestImages.Encode(image, row.Data)));
        foreach (var row in Bombs) Assert.True(ImageDecoder.LooksLikeImage(TestImages.Claiming(row.Data, 1, 1)));
        Assert.False(ImageDecoder.LooksLikeImage("RIFF\0\0\0\0WAVE"u8));
        Assert.False(ImageDecoder.LooksLikeImage([]));
        Assert.False(ImageDecoder.LooksLikeImage([0xFF, 0xD8]));
        Assert.Contains(".JPG", ImageDecoder.FileExtensions);
        Assert.DoesNotContain(".txt", ImageDecoder.FileExtensions);
    }

    [Fact]
    public void Many_threads_decode_at_once()
    {
        var files = Encoded.Select(row => TestImages.Encode(TestImages.Photo(64, 48), row.Data))
            .Append(HandmadeTiff.Write(4, 4, 8, 3, 2, new byte[48])).ToArray();
        var expected = files.Select(file => ImageDecoder.Decode(file).Pixels).ToArray();
        Parallel.For(0, 200, i =>
            Assert.Equal(expected[i % files.Length], ImageDecoder.Decode(files[i % files.Length]).Pixels));
    }
}
