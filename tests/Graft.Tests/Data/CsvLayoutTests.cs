using System.Text;
using Graft.Data;

namespace Graft.Tests.Data;

public sealed class CsvLayoutTests : IDisposable
{
    private readonly PhotoFolder photos = new();

    public CsvLayoutTests()
    {
        foreach (var name in new[] { "a", "b", "c", "d" }) photos.Put($"images/{name}.jpg");
    }

    public void Dispose() => photos.Dispose();

    private string Table(string content) => photos.Put("labels.csv", content);

    private LabeledImages Load(string content, double validationFraction = 0) =>
        LabeledImages.Load(Table(content), new() { ValidationShare = validationFraction });

    private DataException LoadFails(string content) => Assert.Throws<DataException>(() => Load(content));

    [Theory]
    [InlineData("path,label\nimages/b.jpg,dog\nimages/a.jpg,cat\n")]
    [InlineData("label;Filename\r\ndog;images/b.jpg\r\n\r\ncat;images/a.jpg")]
    [InlineData("id\tIMAGE\tcategory\n1\timages/b.jpg\tdog\n2\timages/a.jpg\tcat\n")]
    [InlineData("class, file\n dog , \"images/b.jpg\"\n\"cat\",images\\a.jpg\n")]
    [InlineData("\uFEFFpath,label\nimages/b.jpg,dog\n./images/a.jpg,cat\n")]
    public void Path_and_label_are_found_by_name(string content)
    {
        var images = Load(content);

        Assert.Equal(["cat", "dog"], images.Classes);
        Assert.Equal(["images/a.jpg", "images/b.jpg"], photos.Relative(images.Train));
        Assert.Equal([0, 1], images.Train.Select(image => image.Class));
    }

    [Theory]
    [InlineData("image_path,label")]
    [InlineData("image_id,label")]
    [InlineData("id,breed")]
    [InlineData("file_name,target")]
    [InlineData("images,labels")]
    [InlineData("ImagePath\tLabel")]
    [InlineData("Image Name;Class Name")]
    public void Usual_headings_are_known(string header)
    {
        var separator = header.Contains('\t') ? '\t' : header.Contains(';') ? ';' : ',';

        var images = Load($"{header}\nimages/a.jpg{separator}cat\nimages/b.jpg{separator}dog\n");

        Assert.Equal(["images/a.jpg", "images/b.jpg"], photos.Relative(images.Train));
    }

    [Fact]
    public void Columns_folder_and_suffix_can_be_named()
    {
        var table = photos.Put("tables/t.csv", "Who,What,label,When\na,cat,0,trn\nb,dog,1,trn\nc,cat,0,dev\n");

        var images = LabeledImages.Load(table, new()
        {
            PathColumn = "who",
            LabelColumn = "What",
            SplitColumn = "when",
            ImageFolder = Path.Join(photos.FullName, "images"),
            ImageSuffix = ".jpg",
        });

        Assert.Equal(["cat", "dog"], images.Classes);
        Assert.Equal(["images/a.jpg", "images/b.jpg"], photos.Relative(images.Train));
        Assert.Equal(["images/c.jpg"], photos.Relative(images.Validation));
        Assert.Contains(
            "no column 'Whom'; its columns are 'Who', 'What'",
            Assert.Throws<DataException>(() => LabeledImages.Load(table, new() { PathColumn = "Whom" })).Problems.Single(), StringComparison.Ordinal);
        Assert.Contains(
            "image-folder and image-suffix",
            Assert.Throws<DataException>(() => LabeledImages.Load(table, new() { PathColumn = "Who", LabelColumn = "What" })).Problems[^1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("is_valid", "False", "True", "0")]
    [InlineData("is_valid", "0", "1", "")]
    [InlineData("Is Validation", "no", "yes", "n")]
    [InlineData("is_train", "1", "0", "1.0")]
    [InlineData("subset", "train", "dev", "training")]
    [InlineData("set", "Train", "Valid", "")]
    [InlineData("fold", "train", "val", "train")]
    public void A_column_that_divides_the_images_is_used(string heading, string train, string validation, string alsoTrain)
    {
        var images = Load($"path,label,{heading}\nimages/a.jpg,cat,{train}\nimages/b.jpg,dog,{alsoTrain}\nimages/c.jpg,cat,{validation}\nimages/d.jpg,dog,{validation}\n");

        Assert.Equal(["images/a.jpg", "images/b.jpg"], photos.Relative(images.Train));
        Assert.Equal(["images/c.jpg", "images/d.jpg"], photos.Relative(images.Validation));
        Assert.Contains($"'{heading}' says which images train", Assert.Single(images.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Columns_of_yes_and_no_go_together()
    {
        var images = Load("path,label,is_valid,is_test\nimages/a.jpg,cat,0,0\nimages/b.jpg,dog,0,0\nimages/c.jpg,cat,1,0\nimages/d.jpg,dog,0,1\n");

        Assert.Equal((2, 1, 1), (images.Train.Count, images.Validation.Count, images.Test.Count));
    }

    [Fact]
    public void A_column_that_may_divide_the_images_and_does_not_is_named()
    {
        var images = Load("path,label,fold\nimages/a.jpg,cat,0\nimages/b.jpg,dog,1\n");

        Assert.Equal(2, images.Train.Count);
        Assert.Contains("The column 'fold' of", Assert.Single(images.Notes), StringComparison.Ordinal);
        Assert.Contains("holds '0', '1' and is ignored", images.Notes[0], StringComparison.Ordinal);
    }

    [Fact]
    public void A_single_class_can_be_looked_at_and_not_learned_from()
    {
        var table = Table("path,label\nimages/a.jpg,cat\nimages/b.jpg,cat\n");

        Assert.EndsWith("holds a single class, 'cat'; expected at least two.", Assert.Throws<DataException>(() => LabeledImages.Load(table)).Problems[0], StringComparison.Ordinal);
        Assert.EndsWith("expected at least two.", Assert.Single(LabeledImages.Load(table, LabeledImagesOptions.ForChecking).Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public void A_table_without_known_headings_is_told_in_one_problem() => Assert.Single(LoadFails("name,label\nimages/a.jpg,cat\n").Problems);

    [Fact]
    public void Absolute_paths_and_a_split_column_are_read()
    {
        var images = Load($"""
            path,label,split
            {photos.FullName}/images/a.jpg,cat,train
            images/b.jpg,dog,Train
            images/c.jpg,cat,val
            images/d.jpg,dog,TEST
            images/d.jpg,,test
            """, validationFraction: 0.2);

        Assert.Equal(["images/a.jpg", "images/b.jpg"], photos.Relative(images.Train));
        Assert.Equal(["images/c.jpg"], photos.Relative(images.Validation));
        Assert.Equal(["images/d.jpg"], photos.Relative(images.Test));
        Assert.False(images.ValidationWasSplit);
        Assert.Contains(images.Notes, note => note.Contains("1 test images without a label"));
    }

    [Fact]
    public void Without_a_split_column_validation_is_split_off()
    {
        var images = Load("path,label\nimages/a.jpg,cat\nimages/b.jpg,cat\nimages/c.jpg,dog\nimages/d.jpg,dog\n", 0.2);

        Assert.Equal((2, 2), (images.Train.Count, images.Validation.Count));
    }

    [Fact]
    public void A_relative_path_to_the_table_will_do()
    {
        var table = Table("path,label\nimages/a.jpg,x\nimages/b.jpg,y\n");
        var relative = Path.GetRelativePath(Directory.GetCurrentDirectory(), table);

        Assert.Equal(2, LabeledImages.Load(relative, new() { ValidationShare = 0 }).Train.Count);
    }

    [Theory]
    [InlineData("name,label\nimages/a.jpg,cat\n", "found 'name', 'label'")]
    [InlineData("path,kind\nimages/a.jpg,cat\n", "found 'path', 'kind'")]
    [InlineData("", "found nothing")]
    public void A_missing_column_is_told_with_those_found(string content, string found)
    {
        var message = LoadFails(content).Problems[0];

        Assert.Contains("path, file, filename, image", message);
        Assert.Contains("label, class, category", message);
        Assert.Contains(found, message);
    }

    [Fact]
    public void Missing_images_are_listed_up_to_ten()
    {
        var rows = string.Concat(Enumerable.Range(0, 13).Select(number => $"gone{number}.jpg,cat\n"));

        var problem = Assert.Single(LoadFails("path,label\nimages/a.jpg,cat\nimages/b.jpg,dog\n" + rows).Problems);

        Assert.Contains("13 images do not exist", problem);
        Assert.Contains("'gone0.jpg' (line 4)", problem);
        Assert.Contains("'gone9.jpg' (line 13) and 3 more", problem);
        Assert.DoesNotContain("gone10", problem);
        Assert.Contains("1 image does not exist", LoadFails("path,label\nimages/a.jpg,cat\ngone.jpg,dog\n").Problems[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Every_kind_of_bad_row_is_told()
    {
        var problems = LoadFails("""
            path,label,split
            images/a.jpg,cat,train
            images/b.jpg,dog,train
            images/c.jpg,dog,holdout
            ,dog,train
            images/d.jpg,,train
            images/a.jpg,dog,val
            """).Problems;

        Assert.Equal(4, problems.Count);
        Assert.Contains(problems, problem => problem.Contains("'holdout' (line 4)"));
        Assert.Contains(problems, problem => problem.Contains("names no image: line 5"));
        Assert.Contains(problems, problem => problem.Contains("no label: 'images/d.jpg' (line 6)"));
        Assert.Contains(problems, problem => problem.Contains("two labels: 'images/a.jpg' (line 7: 'dog', before"));
    }

    [Fact]
    public void Rows_of_unusable_files_are_skipped_and_repeated_rows_count_once()
    {
        photos.Put("images/empty.jpg", "");
        photos.Put("images/note.txt");

        var images = Load("""
            path,label
            images/a.jpg,cat
            images/a.jpg,cat
            images/b.jpg,dog
            images/empty.jpg,cat
            images/note.txt,cat
            """);

        Assert.Equal(2, images.Train.Count);
        Assert.Equal(["empty file", "not an image"], images.Skipped.Select(file => file.Reason));
        Assert.Contains("lists 1 images again", Assert.Single(images.Notes));
    }

    [Fact]
    public void A_class_whose_files_are_all_unusable_is_empty()
    {
        photos.Put("images/empty.jpg", "");

        Assert.Equal(
            "The class 'emu' has no images. Add some, or remove the class.",
            LoadFails("path,label\nimages/a.jpg,cat\nimages/b.jpg,dog\nimages/c.jpg,dog\nimages/empty.jpg,emu\n")
                .Message);
    }

    [Fact]
    public void An_open_quote_does_not_swallow_the_rows_below()
    {
        var images = Load("path,label\nimages/a.jpg,\"cat\nimages/b.jpg,dog\nimages/c.jpg,cat\n");

        Assert.Equal(["cat", "dog"], images.Classes);
        Assert.Equal(3, images.Train.Count);
    }

    [Fact]
    public void Bytes_that_are_no_text_end_in_one_clear_line()
    {
        var path = Path.Combine(photos.FullName, "labels.csv");
        File.WriteAllBytes(path, [.. Encoding.ASCII.GetBytes("PK"), 3, 4, 0, 0, 255, 254, 0, 10, 13, 0, 200]);

        Assert.Contains("labels.csv", Assert.Throws<DataException>(() => LabeledImages.Load(path)).Message);
    }
}
