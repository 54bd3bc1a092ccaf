using Graft.Imaging;
using SkiaSharp;

namespace Graft.Tests.Imaging;

public class OrientationTests
{
    /// <summary>What a viewer shows of the stored rows ABC, DEF.</summary>
    public static TheoryData<int, string> Upright => new()
    {
        { 0, "ABC DEF" }, { 1, "ABC DEF" }, { 2, "CBA FED" }, { 3, "FED CBA" }, { 4, "DEF ABC" }, { 5, "AD BE CF" },
        { 6, "DA EB FC" }, { 7, "FC EB DA" }, { 8, "CF BE AD" }, { 9, "ABC DEF" },
    };

    [Theory]
    [MemberData(nameof(Upright))]
    public void A_PNG_is_turned_as_its_EXIF_says(int orientation, string expected)
    {
        var file = new HandmadePng(3, 2, bits: 8, color: 2).Chunk("eXIf"u8, Exif(orientation))
            .WithRows([.. "AAABBBCCC"u8], [.. "DDDEEEFFF"u8]);
        Assert.Equal(expected, Letters(ImageDecoder.Decode(file)));
    }

    [Theory]
    [MemberData(nameof(Upright))]
    public void A_WebP_is_turned_as_its_EXIF_says(int orientation, string expected)
    {
        var image = new RgbImage(3, 2, [.. "AAABBBCCCDDDEEEFFF"u8]);
        using var bitmap = SKBitmap.Decode(TestImages.Encode(image, SKEncodedImageFormat.Png));
        var lossless = new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossless, 50);
        using var encoded = bitmap.PeekPixels().Encode(lossless)!;
        var file = encoded.ToArray();
        var picture = file.AsSpan(file.AsSpan().IndexOf("VP8L"u8));
        picture = picture[..(8 + (BitConverter.ToInt32(picture[4..]) + 1) / 2 * 2)];
        var exif = Exif(orientation);
        byte[] chunks =
        [
            .. "WEBPVP8X"u8, 10, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 1, 0, 0,
            .. picture, .. "EXIF"u8, (byte)exif.Length, 0, 0, 0, .. exif,
        ];
        byte[] whole = [.. "RIFF"u8, .. BitConverter.GetBytes(chunks.Length), .. chunks];
        Assert.Equal(expected, Letters(ImageDecoder.Decode(whole)));
    }

    /// <summary>
    /// Six squares of 32 pixels: their centers survive compression, and the picture is larger than a block of the turn.
    /// </summary>
    [Theory]
    [MemberData(nameof(Upright))]
    public void A_JPEG_is_turned_as_its_EXIF_says(int orientation, string expected)
    {
        var squares = new RgbImage(96, 64, new byte[96 * 64 * 3]);
        for (var y = 0; y < 64; y++)
        {
            for (var x = 0; x < 96; x++) squares.Row(y).Slice(3 * x, 3).Fill((byte)((y / 32 * 3 + x / 32) * 40 + 20));
        }
        var jpeg = TestImages.Encode(squares, SKEncodedImageFormat.Jpeg);
        byte[] exif = [.. "Exif\0\0"u8, .. Exif(orientation)];
        byte[] file = [.. jpeg[..2], 0xFF, 0xE1, 0, (byte)(exif.Length + 2), .. exif, .. jpeg[2..]];
        var image = ImageDecoder.Decode(file);
        var letters = Enumerable.Range(0, image.Height / 32).Select(y => string.Concat(
            Enumerable.Range(0, image.Width / 32).Select(x => Letter(image.Row(y * 32 + 16)[3 * (x * 32 + 16)]))));
        Assert.Equal(expected, string.Join(' ', letters));

        static char Letter(byte shade) => (char)('A' + shade / 40);
    }

    [Theory]
    [MemberData(nameof(Upright))]
    public void A_TIFF_is_turned_as_its_tag_says(int orientation, string expected)
    {
        var file = HandmadeTiff.Write(3, 2, bits: 8, samples: 3, photometric: 2, "AAABBBCCCDDDEEEFFF"u8, orientation);
        Assert.Equal(expected, Letters(ImageDecoder.Decode(file)));
    }

    private static string Letters(RgbImage image) => string.Join(' ', Enumerable.Range(0, image.Height)
        .Select(y => string.Concat(image.Row(y).ToArray().Chunk(3).Select(pixel => (char)pixel.Distinct().Single()))));

    /// <summary>A directory of one tag, 0x112, of one short.</summary>
    private static byte[] Exif(int orientation) =>
    [
        .. "MM"u8, 0, 42, 0, 0, 0, 8,
        0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, (byte)orientation, 0, 0, 0, 0, 0, 0,
    ];
}
