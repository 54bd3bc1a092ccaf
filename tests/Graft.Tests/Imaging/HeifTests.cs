using Graft.Imaging;
using Graft.Imaging.Heif;

namespace Graft.Tests.Imaging;

/// <summary>Four colored quarters, 64×48, written by heif-enc 1.15; the pixels are those of its heif-convert, give or take 2.</summary>
public class HeifTests
{
    /// <summary>Turned by a quarter to the left as an iPhone says it, by the property irot.</summary>
    private const string Heic = "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAbdtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5waXRtAAAAAAACAAAAEGlkYXQAAAAAAEAAMAAAADhpbG9jAQAAAERAAAIAAQAAAAAAAAHbAAEAAAAAAAABGwACAAEAAAAAAAAAAQAAAAAAAAAIAAAAOGlpbmYAAAAAAAIAAAAVaW5mZQIAAAEAAQAAaHZjMQAAAAAVaW5mZQIAAAAAAgAAZ3JpZAAAAADiaXBycAAAAL9pcGNvAAAAdmh2Y0MBA3AAAAAAAAAAAAAe8AD8/fj4AAAPAyAAAQAYQAEMAf//A3AAAAMAkAAAAwAAAwAeugJAIQABACpCAQEDcAAAAwCQAAADAAADAB6gIIEFlurkprm4EBAwIAAAAwAgAAADACEiAAEABkQBwXPAiQAAABRpc3BlAAAAAAAAAEAAAABAAAAAFGlzcGUAAAAAAAAAQAAAADAAAAAQcGl4aQAAAAADCAgIAAAACWlyb3QBAAAAG2lwbWEAAAAAAAAAAgABAoECAAIDA4SFAAAAGmlyZWYAAAAAAAAADmRpbWcAAgABAAEAAAEjbWRhdAAAARcoAa8GOPCXve238kgf//1Ox6H9Jf6J+zqWnVfJNG+/MlX//AOwkvcR7/lZ9xPo69fELny5+N81pBP+zdoXUrfLtYyrGX9anBtokTsDlxNhMYotnL8ATMN916pEbdHEfW2o//H1n/+m8fdk98PWP9Zr//g1Fj12OyJ7Gbn+g7XfQy9WxfvaFse8wxBWKap9JbLpAU9QYpni2hhLJ1sU3C3VoG3oa1xpgHexO3uHLP2Dbzicyihdk4BUDgqGdOAtsPIIuIO6V9bhFDE7CRC49j8Fv4GeS0w1r8r2JLS9Mtg/uFNZVqa9CVhSyKqQvCJQugjLLqof2xk+Jq0QraOKDV6Iuy99ore8LxvZGRG8JYvZ11MOHr680cA=";

    private const string Avif = "AAAAHGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZgAAAOptZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5waXRtAAAAAAABAAAAImlsb2MAAAAAREAAAQABAAAAAAEOAAEAAAAAAAAALgAAACNpaW5mAAAAAAABAAAAFWluZmUCAAAAAAEAAGF2MDEAAAAAamlwcnAAAABLaXBjbwAAABNjb2xybmNseAACAAIABoAAAAAMYXYxQ4EADAAAAAAUaXNwZQAAAAAAAABAAAAAMAAAABBwaXhpAAAAAAMICAgAAAAXaXBtYQAAAAAAAAABAAEEgYIDhAAAADZtZGF0EgAKCRgVf72CBAQNCDIfRGAAABC4Z2Mej0jtfYfT+NsMVDEj3kxc8/spqpG1BA==";

    private readonly HeifImages _format = new();

    [Theory]
    [InlineData("HEIC", Heic, 48, 64, new byte[] { 30, 200, 31 }, new byte[] { 201, 200, 30 })]
    [InlineData("AVIF", Avif, 64, 48, new byte[] { 200, 30, 30 }, new byte[] { 30, 200, 31 })]
    public void Phone_photos_are_decoded_upright(string name, string packed, int width, int height, byte[] left, byte[] right)
    {
        var file = Convert.FromBase64String(packed);

        var (measuredWidth, measuredHeight, bytes) = _format.Measure(file);
        var image = _format.Decode(file);

        Assert.Equal(name, _format.NameOf(file));
        Assert.Equal((width, height), (measuredWidth, measuredHeight));
        Assert.Equal((width, height), (image.Width, image.Height));
        Assert.InRange(bytes, 3 * width * height, 20 * width * height);
        AssertPixel(left, image.Row(8)[(8 * 3)..(9 * 3)]);
        AssertPixel(right, image.Row(8)[((width - 8) * 3)..((width - 7) * 3)]);

        static void AssertPixel(byte[] expected, ReadOnlySpan<byte> actual)
        {
            for (var channel = 0; channel < 3; channel++) Assert.InRange((int)actual[channel], expected[channel] - 2, expected[channel] + 2);
        }
    }

    [Theory]
    [InlineData(Heic)]
    [InlineData(Avif)]
    public void Damaged_file_is_unreadable(string packed)
    {
        var file = Convert.FromBase64String(packed);

        for (var length = 12; length < file.Length - 1; length += 7)
        {
            var cut = file.AsSpan(0, length).ToArray();
            Assert.Throws<UnreadableImageException>(() => _format.Decode(cut));
        }
    }

    [Fact]
    public void Registered_format_is_decoded_within_the_limits()
    {
        ImageDecoder.Register(new Stripes());
        byte[] small = [.. "graft test format"u8, 4, 2], large = [.. "graft test format"u8, 255, 255];

        var image = ImageDecoder.Decode(small);

        Assert.Equal((4, 2), (image.Width, image.Height));
        Assert.Equal("stripes", ImageDecoder.FormatOf(small));
        Assert.Contains(".stripes", ImageDecoder.FileExtensions);
        Assert.Contains("too large", Assert.Throws<UnreadableImageException>(() => ImageDecoder.Decode(large, new() { MaxPixels = 1000 })).Message, StringComparison.Ordinal);
    }

    private sealed class Stripes : IImageFormat
    {
        public IReadOnlyList<string> FileExtensions => [".stripes"];

        public string? NameOf(ReadOnlySpan<byte> start) => start.StartsWith("graft test f"u8) ? "stripes" : null;

        public (int Width, int Height, long Bytes) Measure(ReadOnlySpan<byte> file) => (file[^2], file[^1], 3L * file[^2] * file[^1]);

        public RgbImage Decode(ReadOnlySpan<byte> file) => new(file[^2], file[^1], new byte[3 * file[^2] * file[^1]]);
    }
}
