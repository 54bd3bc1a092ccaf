using System.Text;
using Graft.Imaging;

namespace Graft.Tests.Imaging;

/// <summary>The expected values are those of Pillow 9.4, but for gray of 16 bits, which it clips.</summary>
public class PnmTests
{
    public static TheoryData<string, byte[], byte[]> Files => new()
    {
        { "P6 2 1 255\n", [1, 2, 3, 253, 254, 255], [1, 2, 3, 253, 254, 255] },
        { "P6\n# a comment\n2 1\n100 ", [0, 1, 50, 99, 100, 255], [0, 3, 128, 252, 255, 255] },
        { "P6 1 1 1000 ", [0, 10, 1, 244, 3, 232], [3, 128, 255] },
        { "P5 3 1 255\n", [0, 128, 255], [0, 0, 0, 128, 128, 128, 255, 255, 255] },
        { "P5 3 1 65535\n", [0, 255, 128, 0, 255, 255], [0, 0, 0, 128, 128, 128, 255, 255, 255] },
        // Rows of whole bytes; a one is black.
        { "P4 2 2\n", [0b10_111111, 0b01_000000], [0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0] },
        { "P1 2 2\n10 0#x\n1", [], [0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0] },
        { "P2\n2 1\n15\n7 # half\n15", [], [119, 119, 119, 255, 255, 255] },
        { "P3 1 1 4\n1 2\r\n3", [], [64, 128, 191] },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void Each_kind_is_read(string header, byte[] data, byte[] expected) =>
        Assert.Equal(expected, ImageDecoder.Decode((byte[])[.. Encoding.ASCII.GetBytes(header), .. data]).Pixels);

    [Theory]
    [InlineData("P6 2 1 255\nabcde", "truncated")]
    [InlineData("P5 20000 20000 255\n", "too large")]
    [InlineData("P5 9000 9000 255\n", "truncated")]
    [InlineData("P3 1 1 255\n1 2", "truncated")]
    [InlineData("P3 1 1 4\n1 2 5", "damaged")]
    [InlineData("P2 1 1 4\n-1", "damaged")]
    [InlineData("P1 1 1\n2", "damaged")]
    [InlineData("P5 1 1 70000\nab", "largest sample")]
    [InlineData("P5 1 1 0\nab", "largest sample")]
    [InlineData("P5 x", "header")]
    [InlineData("P5 0 1 255\n", "header")]
    public void A_broken_file_is_refused(string file, string reason)
    {
        var refused = Assert.Throws<UnreadableImageException>(() => ImageDecoder.Decode(Encoding.ASCII.GetBytes(file)));
        Assert.Contains(reason, refused.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_text_that_begins_with_P5_is_no_picture()
    {
        Assert.False(ImageDecoder.LooksLikeImage("P5: notes on"u8));
        Assert.True(ImageDecoder.LooksLikeImage("P5\n640 480"u8));
        Assert.Contains(".ppm", ImageDecoder.FileExtensions);
    }

    [Theory]
    [InlineData("heic")]
    [InlineData("avif")]
    public void A_phone_s_photo_is_refused_with_what_to_do_on_the_phone(string brand)
    {
        var refused = Assert.Throws<UnreadableImageException>(
            () => ImageDecoder.Decode((byte[])[0, 0, 0, 24, .. "ftyp"u8, .. Encoding.ASCII.GetBytes(brand), 0, 0, 0, 0]));
        Assert.Contains("Most Compatible", refused.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Sixteen_bits_are_told_from_eight()
    {
        Assert.True(ImageDecoder.IsSixteenBit(new HandmadePng(1, 1, 16, 0).WithRows([0, 1])));
        Assert.False(ImageDecoder.IsSixteenBit(new HandmadePng(1, 1, 8, 0).WithRows([1])));
        Assert.True(ImageDecoder.IsSixteenBit(HandmadeTiff.Write(1, 1, 16, 1, 1, [0, 1])));
        Assert.False(ImageDecoder.IsSixteenBit(HandmadeTiff.Write(1, 1, 8, 1, 1, [1])));
        Assert.True(ImageDecoder.IsSixteenBit("P5 1 1 65535\nab"u8));
        Assert.False(ImageDecoder.IsSixteenBit("P5 1 1 255\nab"u8));
    }
}
