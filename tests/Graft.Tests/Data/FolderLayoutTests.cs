using System.Diagnostics;
using System.Runtime.Versioning;
using Graft.Data;

namespace Graft.Tests.Data;

public sealed class FolderLayoutTests : IDisposable
{
    private readonly PhotoFolder photos = new();

    public void Dispose() => photos.Dispose();

    [Fact]
    public void A_folder_per_class_is_read_in_ordinal_order_with_the_folders_below()
    {
        foreach (var path in new[]
        {
            "dog/b.jpg", "dog/a.PNG", "dog/2019/beach/z.JPeG", "Cat/é.webp", "Cat/猫 1.tif", "dog/Z.gif",
        }) photos.Put(path);

        var images = photos.Load(new() { ValidationShare = 0 });

        Assert.Equal(["Cat", "dog"], images.Classes);
        Assert.Equal(
            ["Cat/é.webp", "Cat/猫 1.tif", "dog/2019/beach/z.JPeG", "dog/Z.gif", "dog/a.PNG", "dog/b.jpg"],
            photos.Relative(images.Train));
        Assert.Equal([0, 0, 1, 1, 1, 1], images.Train.Select(image => image.Class));
        Assert.All(images.Train, image => Assert.True(File.Exists(image.Path)));
        Assert.Empty(images.Validation);
        Assert.False(images.ValidationWasSplit);
        Assert.Empty(images.Skipped);
        Assert.Empty(images.Notes);
    }

    [Theory]
    [InlineData("train", "val", "test")]
    [InlineData("Train", "VALID", "Test")]
    [InlineData("TRAIN", "validation", "TEST")]
    [InlineData("Training", "dev", "Testing")]
    [InlineData("training_set", "eval", "test-set")]
    [InlineData("seg_train", "seg_val", "seg_test")]
    [InlineData("train2017", "val2017", "test2017")]
    [InlineData("train_images", "valid_images", "test_images")]
    public void Divided_folders_are_read_as_divided(string train, string validation, string test)
    {
        foreach (var part in new[] { train, validation, test })
        {
            photos.Put($"{part}/dog/1.jpg");
            photos.Put($"{part}/cat/1.jpg");
        }

        var images = photos.Load();

        Assert.Equal(["cat", "dog"], images.Classes);
        Assert.Equal([$"{train}/cat/1.jpg", $"{train}/dog/1.jpg"], photos.Relative(images.Train));
        Assert.Equal([$"{validation}/cat/1.jpg", $"{validation}/dog/1.jpg"], photos.Relative(images.Validation));
        Assert.Equal([$"{test}/cat/1.jpg", $"{test}/dog/1.jpg"], photos.Relative(images.Test));
        Assert.False(images.ValidationWasSplit);
    }

    [Theory]
    [InlineData("train/train", "test/test")]
    [InlineData("seg_train/seg_train", "seg_test/seg_test")]
    [InlineData("Training", "Test")]
    public void Folders_of_parts_may_stand_inside_ones_of_the_same_name(string train, string test)
    {
        foreach (var part in new[] { train, test })
        {
            photos.PutMany($"{part}/cat", 10);
            photos.PutMany($"{part}/dog", 10);
        }

        var images = photos.Load();

        Assert.Equal(["cat", "dog"], images.Classes);
        Assert.Equal((16, 4, 20), (images.Train.Count, images.Validation.Count, images.Test.Count));
    }

    [Fact]
    public void A_class_may_be_called_like_a_part()
    {
        foreach (var path in new[] { "train/1.jpg", "train/2.jpg", "bus/1.jpg", "bus/2.jpg", "train tracks/1.jpg", "train tracks/2.jpg" }) photos.Put(path);

        Assert.Equal(["bus", "train", "train tracks"], photos.Load().Classes);
    }

    [Fact]
    public void Folders_of_systems_are_neither_classes_nor_looked_into()
    {
        foreach (var folder in new[] { "@eaDir", "$RECYCLE.BIN", "System Volume Information", "__MACOSX", "lost+found", "#recycle", ".thumbnails" })
        {
            photos.Put($"{folder}/1.jpg");
            photos.Put($"cat/{folder}/1.jpg");
        }
        photos.PutMany("cat", 2);
        photos.PutMany("dog", 2);

        var images = photos.Load();

        Assert.Equal(["cat", "dog"], images.Classes);
        Assert.Equal(4, images.All.Count());
        Assert.Empty(images.Skipped);
    }

    [Fact]
    public void Names_equal_in_composed_form_are_one_class()
    {
        photos.PutMany("Ma\u0308use", 2);
        photos.PutMany("M\u00E4use", 3);
        photos.PutMany("\u1112\u1161\u11AB", 2);
        photos.PutMany("vi\u1EC7t", 2);
        photos.PutMany("vie\u0323\u0302t", 2);

        var images = photos.Load();

        Assert.Equal(["M\u00E4use", "vi\u1EC7t", "\uD55C"], images.Classes);
        Assert.Equal([5, 4, 2], images.Classes.Select((_, index) => images.All.Count(image => image.Class == index)));
        Assert.Equal(11, photos.Load(LabeledImagesOptions.ForEvaluation(["Ma\u0308use", "vi\u1EC7t", "\uD55C"])).All.Count());
    }

    [Fact]
    public void Classes_that_hold_the_same_folders_are_warned_of()
    {
        foreach (var outer in new[] { "camera1", "camera2" })
            foreach (var inner in new[] { "glass", "metal" }) photos.PutMany($"{outer}/{inner}", 3);

        var images = photos.Load();

        Assert.Contains("All classes ('camera1', 'camera2') hold the same folders, 'glass', 'metal'", Assert.Single(images.Warnings), StringComparison.Ordinal);
        Assert.Contains(images.Warnings[0], images.Notes);
        Directory.Delete(Path.Join(photos.FullName, "camera1", "glass"), recursive: true);
        Assert.Empty(photos.Load().Warnings);
    }

    [Fact]
    public void Copies_of_a_photo_fall_on_one_side()
    {
        for (var number = 0; number < 20; number++)
        {
            photos.Put($"cat/{number}.jpg", $"cat {number / 2}");
            photos.Put($"dog/{number}.jpg", $"dog {number}");
        }

        for (var seed = 0; seed < 5; seed++)
        {
            var images = photos.Load(new() { Seed = seed, ValidationShare = 0.3 });

            Assert.Equal(0, TrainingDataCheck.Of(images, TestContext.Current.CancellationToken).Leaks);
            Assert.Equal((28, 12), (images.Train.Count, images.Validation.Count));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("train/")]
    public void An_unlabeled_folder_is_no_class(string prefix)
    {
        photos.PutMany($"{prefix}cat", 2);
        photos.PutMany($"{prefix}dog", 2);
        photos.PutMany($"{prefix}unlabeled/more", 3);

        var images = photos.Load();

        Assert.Equal(["cat", "dog"], images.Classes);
        Assert.Equal(3, images.Unlabeled.Count);
        Assert.Contains("The 3 images in", Assert.Single(images.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_validation_folder_a_fifth_of_each_class_validates()
    {
        photos.PutMany("train/cat", 20);
        photos.PutMany("train/dog", 10);
        photos.PutMany("test/dog", 3);

        var images = photos.Load();

        Assert.True(images.ValidationWasSplit);
        Assert.Equal((24, 6, 3), (images.Train.Count, images.Validation.Count, images.Test.Count));
        Assert.Equal([4, 2], images.Validation.CountBy(image => image.Class).Select(size => size.Value));
        Assert.Equal(30, images.Train.Concat(images.Validation).Select(image => image.Path).Distinct().Count());
        Assert.Contains("No test images for 'cat'", Assert.Single(images.Notes));
    }

    [Fact]
    public void The_split_does_not_depend_on_where_the_folder_lies()
    {
        using var elsewhere = new PhotoFolder();
        foreach (var folder in new[] { photos, elsewhere })
        {
            folder.PutMany("a", 30);
            folder.PutMany("b", 30);
        }

        var validation = photos.Relative(photos.Load().Validation);

        Assert.Equal(validation, elsewhere.Relative(elsewhere.Load().Validation));
        Assert.NotEqual(validation, photos.Relative(photos.Load(new() { Seed = 2 }).Validation));
    }

    [Fact]
    public void A_train_folder_of_images_beside_other_classes_is_a_class()
    {
        photos.PutMany("train", 3);
        photos.PutMany("tram", 3);

        Assert.Equal(["train", "tram"], photos.Load().Classes);
    }

    [Fact]
    public void Hidden_entries_and_those_left_behind_are_not_seen()
    {
        photos.PutMany("cat", 2);
        photos.PutMany("dog", 2);
        foreach (var path in new[]
        {
            ".DS_Store", "cat/.DS_Store", "cat/._0001.jpg", "dog/Thumbs.db", "dog/desktop.ini", "__MACOSX/cat/1.jpg",
            ".ipynb_checkpoints/1.jpg", "cat/.ipynb_checkpoints/1.jpg",
        }) photos.Put(path);

        var images = photos.Load();

        Assert.Equal(["cat", "dog"], images.Classes);
        Assert.Equal(4, images.All.Count());
        Assert.Empty(images.Skipped);
    }

    [Fact]
    public void Files_that_are_no_images_are_skipped_with_a_reason()
    {
        photos.PutMany("cat", 2);
        photos.PutMany("dog", 2);
        photos.Put("stray.jpg");
        photos.Put("cat/readme.txt");
        photos.Put("cat/clip.mp4", "BM is how this text begins");
        photos.Put("dog/empty.jpg", "");
        photos.Put("dog/phone.HEIC");

        var images = photos.Load();

        Assert.Equal(
            [
                ("cat/clip.mp4", "not an image"),
                ("cat/readme.txt", "not an image"),
                ("dog/empty.jpg", "empty file"),
                ("dog/phone.HEIC", $"image format not supported (.HEIC). {Graft.Imaging.ImageDecoder.HeicRemedy}"),
                ("stray.jpg", "lies outside the class folders"),
            ],
            images.Skipped.Select(file => (photos.Relative([file.Path])[0], file.Reason)));
        Assert.Equal(4, images.All.Count());
    }

    public static TheoryData<string, byte[]> Signatures => new()
    {
        { "jpeg", [0xFF, 0xD8, 0xFF, 0xE0] },
        { "png", [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] },
        { "gif", [0x47, 0x49, 0x46, 0x38, 0x39, 0x61] },
        { "webp", [0x52, 0x49, 0x46, 0x46, 1, 2, 3, 4, 0x57, 0x45, 0x42, 0x50] },
        { "tiff", [0x49, 0x49, 0x2A, 0x00] },
        { "motorola tiff", [0x4D, 0x4D, 0x00, 0x2A] },
        { "bmp", [0x42, 0x4D, 1, 2, 3, 4, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0] },
    };

    [Theory]
    [MemberData(nameof(Signatures))]
    public void An_image_without_an_image_extension_is_known_by_its_first_bytes(string name, byte[] start)
    {
        photos.PutMany("cat", 2);
        photos.PutMany("dog", 2);
        File.WriteAllBytes(Path.Combine(photos.FullName, "cat", name), start);
        File.WriteAllBytes(Path.Combine(photos.FullName, "cat", name + ".dat"), start);
        File.WriteAllBytes(Path.Combine(photos.FullName, "cat", name + ".not"), start[1..]);

        var images = photos.Load();

        Assert.Equal(6, images.All.Count());
        Assert.EndsWith(".not", Assert.Single(images.Skipped).Path);
    }

    [Fact]
    public void Unlabeled_test_and_validation_images_are_said_and_ignored()
    {
        photos.PutMany("train/cat", 5);
        photos.PutMany("train/dog", 5);
        photos.PutMany("test", 7);
        photos.PutMany("val", 2);

        var images = photos.Load();

        Assert.Empty(images.Test);
        Assert.True(images.ValidationWasSplit);
        Assert.Contains(images.Notes, note => note.StartsWith("The 7 images directly in") && note.Contains("no class"));
        Assert.Contains(images.Notes, note => note.StartsWith("The 2 images directly in"));
    }

    [Fact]
    public void Strong_imbalance_and_names_that_differ_in_case_are_worth_a_note()
    {
        photos.PutMany("train/Cat", 21);
        photos.PutMany("train/cat", 2);
        photos.PutMany("val/cat", 1);

        var notes = photos.Load().Notes;

        Assert.Contains(notes, note => note.Contains("'Cat' has 21 training images, 'cat' 2"));
        Assert.Contains(notes, note => note.Contains("'Cat', 'cat' differ only in case"));
        Assert.Contains(notes, note => note.Contains("No validation images for 'Cat'"));
        Assert.Equal(3, notes.Count);
    }

    [Fact]
    public void Imbalance_of_ten_to_one_is_not_yet_strong()
    {
        photos.PutMany("train/a", 20);
        photos.PutMany("train/b", 2);
        photos.PutMany("val/a", 1);
        photos.PutMany("val/b", 1);

        Assert.Empty(photos.Load().Notes);
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void Links_are_followed_and_links_that_lead_back_are_not()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Making links needs a privilege on Windows.");
        using var elsewhere = new PhotoFolder();
        elsewhere.PutMany("birds/owls", 2);
        elsewhere.Put("one.jpg");
        elsewhere.Put("nothing.jpg", "");
        photos.PutMany("cat", 2);
        photos.PutMany("dog/puppies", 2);
        Link("bird", Path.Combine(elsewhere.FullName, "birds"));
        Link("cat/linked.jpg", Path.Combine(elsewhere.FullName, "one.jpg"));
        Link("cat/none.jpg", "no-such-file.jpg");
        Link("cat/self.jpg", "self.jpg");
        Link("cat/void.jpg", Path.Combine(elsewhere.FullName, "nothing.jpg"));
        Link("loop", photos.FullName);
        Link("cat/root", "/");
        Link("cat/up", "..");
        Link("dog/puppies/again", "../../dog/puppies");
        Link("dog/twice", "puppies");

        var images = photos.Load();

        Assert.Equal(["bird", "cat", "dog"], images.Classes);
        Assert.Equal(
            ["bird/owls/0000.jpg", "bird/owls/0001.jpg", "cat/0000.jpg", "cat/0001.jpg", "cat/linked.jpg",
                "dog/puppies/0000.jpg", "dog/puppies/0001.jpg"],
            photos.Relative(images.All).Order(StringComparer.Ordinal));
        Assert.Equal(
            [("cat/none.jpg", "broken link"), ("cat/self.jpg", "broken link"), ("cat/void.jpg", "empty file")],
            images.Skipped.Select(file => (photos.Relative([file.Path])[0], file.Reason)));

        void Link(string from, string to) => File.CreateSymbolicLink(Path.Combine(photos.FullName, from), to);
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void A_pipe_is_not_opened()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no named pipes in folders.");
        photos.PutMany("cat", 2);
        photos.PutMany("dog", 2);
        foreach (var name in new[] { "pipe", "pipe.jpg" })
            Process.Start("mkfifo", Path.Combine(photos.FullName, "cat", name)).WaitForExit();

        Assert.Equal(["empty file", "empty file"], photos.Load().Skipped.Select(file => file.Reason));
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void A_folder_that_may_not_be_listed_is_named()
    {
        Assert.SkipWhen(
            OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess, "Nothing is denied to this user.");
        photos.PutMany("cat", 2);
        photos.PutMany("dog", 2);
        var locked = Path.Combine(photos.FullName, "dog");
        File.SetUnixFileMode(locked, UnixFileMode.None);
        try
        {
            var problems = photos.LoadFails().Problems;
            Assert.Contains(problems, problem => problem.Contains("Permission") && problem.Contains(locked));
        }
        finally
        {
            File.SetUnixFileMode(locked, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    [Fact]
    public void A_model_s_classes_decide_the_indices_and_may_be_without_images()
    {
        photos.PutMany("test/cat", 3);
        photos.PutMany("test/ant", 1);

        var images = photos.Load(LabeledImagesOptions.ForEvaluation(["dog", "cat", "ant"]));

        Assert.Equal(["dog", "cat", "ant"], images.Classes);
        Assert.Equal([2, 1, 1, 1], images.Test.Select(image => image.Class));
        Assert.Empty(images.Train);

        var failure = photos.LoadFails(LabeledImagesOptions.ForEvaluation(["dog", "cat"]));
        Assert.Contains("does not know: 'ant'", failure.Message);
    }
}
