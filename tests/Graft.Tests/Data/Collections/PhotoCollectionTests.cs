using System.IO.Compression;
using System.Security.Cryptography;
using Graft.Data;
using Graft.Data.Collections;
using Graft.Testing;

namespace Graft.Tests.Data.Collections;

public sealed class PhotoCollectionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static byte[] Photo(int number) => Packed.Text($"photo {number} {new string('x', number)}");

    /// <summary>Two classes of five photos.</summary>
    private static IEnumerable<(string Name, byte[] Content)> Photos(string prefix = "") =>
        Enumerable.Range(0, 10).Select(number => ($"{prefix}{(number < 5 ? "cat" : "dog")}/{number}.jpg", Photo(number)));

    private string Unpacked()
    {
        foreach (var (name, content) in Photos()) File.WriteAllBytes(_folder.File($"plain/{name}"), content);
        return _folder.File("plain");
    }

    private static IEnumerable<(string Path, string Class, string Hash)> Rows(LabeledImages photos, IReadOnlyList<LabeledImage> part, string root) =>
        part.Select(image => (Path.GetRelativePath(root, image.Path), photos.Classes[image.Class], Convert.ToHexString(SHA256.HashData(image.Read()))));

    [Theory]
    [InlineData("zip", "")]
    [InlineData("zip", "flowers/")]
    [InlineData("tar", "")]
    [InlineData("tar", "./")]
    public void An_archive_is_the_folder_that_it_was_packed_from(string kind, string prefix)
    {
        var plain = Unpacked();
        var archive = kind == "zip" ? Packed.Zip(_folder.File("flowers.zip"), Photos(prefix)) : Packed.Tar(_folder.File("flowers.tar"), Photos(prefix));

        var (expected, found) = (LabeledImages.Load(plain), LabeledImages.Load(archive));

        var root = prefix == "flowers/" ? $"{archive}/flowers" : archive;
        Assert.Equal(expected.Classes, found.Classes);
        Assert.Equal(Rows(expected, expected.Train, plain), Rows(found, found.Train, root));
        Assert.Equal(Rows(expected, expected.Validation, plain), Rows(found, found.Validation, root));
        Assert.NotEmpty(found.Validation);
        Assert.Equal(10, PhotoPaths.Find(archive).Photos.Count);
        Assert.False(found.Train[0].IsFile);
        Assert.Equal(["archive"], Directory.GetFileSystemEntries(_folder.FullName).Select(entry => entry == plain || entry == archive ? "archive" : entry).Distinct());
    }

    [Fact]
    public void Archives_of_a_folder_are_classes_or_parts_by_their_names()
    {
        Packed.Zip(_folder.File("classes/cat.zip"), ("1.jpg", Photo(1)), ("2.jpg", Photo(2)));
        Packed.Tar(_folder.File("classes/dog.tar"), ("3.jpg", Photo(3)), ("4.jpg", Photo(4)));
        Packed.Zip(_folder.File("parts/train.zip"), Photos());
        Packed.Zip(_folder.File("parts/test.zip"), ("cat/100.jpg", Photo(100)), ("dog/101.jpg", Photo(101)));

        Assert.Equal(["cat", "dog"], LabeledImages.Load(_folder.File("classes")).Classes);
        Assert.Equal(2, LabeledImages.Load(_folder.File("parts")).Test.Count);
    }

    [Fact]
    public void An_archive_beside_class_folders_is_no_class()
    {
        Packed.Zip(Path.Combine(Unpacked(), "download.zip"), Photos());

        Assert.Equal(["cat", "dog"], LabeledImages.Load(_folder.File("plain")).Classes);
    }

    [Fact]
    public void Shards_say_class_by_cls_or_json_and_part_by_name()
    {
        Packed.Tar(
            _folder.File("shards/birds-train-000.tar"),
            ("0001.jpg", Photo(1)), ("0001.cls", Packed.Text("0\n")), ("0002.jpg", Photo(2)), ("0002.cls", Packed.Text("1")), ("0003.jpg", Photo(3)));
        Packed.Tar(
            _folder.File("shards/birds-train-001.tar"),
            ("a/0001.left.png", Photo(4)), ("a/0001.json", Packed.Text("{\"label\": 0, \"text\": \"wren\"}")), ("a/0002.png", Photo(5)), ("a/0002.json", Packed.Text("{\"label\": 1}")));
        Packed.Tar(_folder.File("shards/birds-val-000.tar"), ("0001.jpg", Photo(6)), ("0001.cls", Packed.Text("1")));

        var photos = LabeledImages.Load(_folder.File("shards"));

        Assert.Equal(["0", "1"], photos.Classes);
        Assert.Equal(
            ["birds-train-000.tar/0001.jpg", "birds-train-000.tar/0002.jpg", "birds-train-001.tar/a/0001.left.png", "birds-train-001.tar/a/0002.png"],
            photos.Train.Select(image => Path.GetRelativePath(_folder.File("shards"), image.Path)));
        Assert.Equal([0, 1, 0, 1], photos.Train.Select(image => image.Class));
        Assert.Equal(1, Assert.Single(photos.Validation).Class);
        Assert.Contains("says its class", Assert.Single(photos.Skipped, file => file.Path.EndsWith("0003.jpg", StringComparison.Ordinal)).Reason, StringComparison.Ordinal);
        Assert.Equal(4, LabeledImages.Load(_folder.File("shards/birds-train-{000..001}.tar")).All.Count());
        Assert.Equal(5, LabeledImages.Load(_folder.File("shards/birds-*.tar")).All.Count());
        Assert.Equal(6, PhotoPaths.Find(_folder.File("shards")).Photos.Count);
        Assert.Equal(5, PhotoPaths.Find(_folder.File("shards/birds-train-{000..001}.tar")).Photos.Count);
        Assert.Equal(5, PhotoPaths.Find(_folder.File("shards/*-train-*.tar")).Photos.Count);
        Assert.Equal(
            "There is no file '" + _folder.File("shards/birds-train-002.tar") + "', which '" + _folder.File("shards/birds-train-{000..002}.tar") + "' names.",
            Assert.Throws<DataException>(() => LabeledImages.Load(_folder.File("shards/birds-train-{000..002}.tar"))).Message);
    }

    [Fact]
    public async Task Parquet_rows_are_photos_with_the_names_of_their_classes()
    {
        await Packed.Parquet(_folder.File("data/train-00000-of-00001.parquet"), [.. Enumerable.Range(0, 5).Select(row => ((byte[]?)Photo(row), (string?)$"{row}.jpg", (long?)(row % 2)))], ["cat", "dog"]);
        await Packed.Parquet(_folder.File("data/test-00000-of-00001.parquet"), [(Photo(8), null, 1), (Photo(9), null, null), (null, null, 0), (Photo(10), null, 0)], ["cat", "dog"]);

        var photos = LabeledImages.Load(_folder.FullName, new() { ValidationShare = 0 });

        Assert.Equal(["cat", "dog"], photos.Classes);
        Assert.Equal(Enumerable.Range(0, 5).Select(Photo), photos.Train.Select(image => image.Read()));
        Assert.Equal([0, 1, 0, 1, 0], photos.Train.Select(image => image.Class));
        Assert.Equal($"data/train-00000-of-00001.parquet/3.jpg", Path.GetRelativePath(_folder.FullName, photos.Train[3].Path));
        Assert.Equal(Photo(8), photos.Test[0].Read());
        Assert.EndsWith("0.jpg", photos.Test[0].Path, StringComparison.Ordinal);
        Assert.Equal(Photo(10), photos.Test[2].Read());
        Assert.Contains("has no image", Assert.Throws<IOException>(() => photos.Test[1].Read()).Message, StringComparison.Ordinal);
        Assert.Contains("label is empty", Assert.Single(photos.Skipped).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Names_that_lead_outside_or_come_twice_are_left_out()
    {
        var path = Packed.Tar(
            _folder.File("odd.tar"), [.. Photos(), ("../../etc/1.jpg", Photo(20)), ("/etc/2.jpg", Photo(21)), ("cat/0.jpg", Photo(22)), ("cat//3.jpg", Photo(23)), ("C:\\4.jpg", Photo(24))]);

        var photos = LabeledImages.Load(path);

        Assert.Equal(10, photos.All.Count());
        Assert.Equal(Photo(0), photos.All.Single(image => image.Path.EndsWith("cat/0.jpg", StringComparison.Ordinal)).Read());
        Assert.Equal(5, photos.Skipped.Count);
        Assert.Contains(photos.Skipped, file => file.Reason == "the collection holds this name twice; the first is read");
        Assert.Equal(4, photos.Skipped.Count(file => file.Reason == "its name leads outside of the collection"));
    }

    [Theory]
    [InlineData("tar", "is cut off: 'dog/9.jpg' should have")]
    [InlineData("zip", "is no zip archive, or it is cut off or damaged")]
    [InlineData("parquet", "is no Parquet file, or it is cut off or damaged")]
    public async Task A_collection_that_is_cut_off_is_said_before_any_photo_is_read(string kind, string words)
    {
        var path = _folder.File($"cut.{kind}");
        if (kind == "tar") Packed.Tar(path, [.. Photos().SkipLast(1), ("dog/9.jpg", new byte[5000])]);
        else if (kind == "zip") Packed.Zip(path, Photos());
        else await Packed.Parquet(path, [(Photo(1), "1.jpg", 0), (Photo(2), "2.jpg", 1)], ["a", "b"]);
        var content = File.ReadAllBytes(path);
        File.WriteAllBytes(path, content[..(kind == "tar" ? content.Length - 5000 : content.Length / 2)]);

        Assert.Contains(words, Assert.Throws<DataException>(() => LabeledImages.Load(path)).Message, StringComparison.Ordinal);
        Assert.Contains(words, Assert.Single(PhotoPaths.Find(path).Skipped).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_compressed_tar_is_refused_with_the_remedy()
    {
        using (var stream = new GZipStream(File.Create(_folder.File("a.tar")), CompressionLevel.Fastest)) stream.Write(new byte[2000]);

        Assert.Contains("compressed tar archive", Assert.Throws<DataException>(() => LabeledImages.Load(_folder.File("a.tar"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_member_that_is_damaged_or_claims_more_than_it_holds_is_one_bad_photo()
    {
        var path = Packed.Zip(_folder.File("bad.zip"), Photos());
        var content = File.ReadAllBytes(path);
        using (var archive = ZipFile.OpenRead(path)) Assert.Equal("cat/0.jpg", archive.Entries[0].FullName);
        // The uncompressed length of the first member in the central directory.
        var directory = content.AsSpan().IndexOf("PK\x01\x02"u8);
        content[directory + 24] += 7;
        // The checksum of the second.
        var second = directory + 4 + content.AsSpan(directory + 4).IndexOf("PK\x01\x02"u8);
        content[second + 16] ^= 1;
        File.WriteAllBytes(path, content);

        var photos = LabeledImages.Load(path).All.ToDictionary(image => Path.GetFileName(image.Path));

        Assert.Throws<IOException>(() => photos["0.jpg"].Read());
        Assert.Contains("checksum", Assert.Throws<IOException>(() => photos["1.jpg"].Read()).Message, StringComparison.Ordinal);
        Assert.Equal(Photo(2), photos["2.jpg"].Read());
    }

    [Fact]
    public void A_collection_that_changes_is_read_anew()
    {
        var path = Packed.Tar(_folder.File("a.tar"), ("cat/1.jpg", Photo(1)));
        Assert.Equal(Photo(1), ImageSource.FromFile($"{path}/cat/1.jpg").Read());

        Packed.Tar(path, ("other/0.jpg", Photo(1000)), ("cat/1.jpg", Photo(2)));

        Assert.Equal(Photo(2), ImageSource.FromFile($"{path}/cat/1.jpg").Read());
        Assert.Throws<FileNotFoundException>(() => ImageSource.FromFile($"{path}/cat/3.jpg").Read());
        Assert.True(PhotoFile.Exists($"{path}/cat/1.jpg"));
        Assert.False(PhotoFile.Exists($"{path}/cat/3.jpg"));
    }

    [Fact]
    public void Braces_stand_for_numbers_and_choices() => Assert.Equal(
        ["a-08-x.tar", "a-08-y.tar", "a-09-x.tar", "a-09-y.tar", "a-10-x.tar", "a-10-y.tar"], CollectionPattern.Braces("a-{08..10}-{x,y}.tar"));
}
