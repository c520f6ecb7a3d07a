package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
)

// The SDK verifies the MD5 of bodies itself.
var sqsChecks = []check{
	{"queues", []string{"queues-01", "queues-07", "listing-01", "listing-02", "tags-02", "tags-03"}, queues},
	{"there and back", []string{"messages-01", "messages-03", "messages-08", "attributes-01"}, thereAndBack},
	{"batches", []string{"batches-01", "batches-03", "batches-04", "batches-12"}, batches},
	{"typed errors", []string{"errors-01", "errors-02", "errors-03", "messages-12", "queues-05"}, typedErrors},
	{"long polls", []string{"polling-02", "polling-06", "messages-02"}, longPolls},
	{"visibility", []string{"visibility-01", "visibility-04", "system-04"}, visibility},
	{"fifo", []string{"fifo-01", "fifo-02", "fifo-04", "fifo-10", "dedup-01", "dedup-02"}, fifo},
	{"dead letters", []string{"dlq-01", "dlq-02", "dlq-05"}, deadLetters},
	{"purge", []string{"purge-01", "purge-03"}, purge},
}

func queues(c *clients) {
	url := c.queue(map[string]string{"VisibilityTimeout": "7"})
	name := (*url)[strings.LastIndex(*url, "/")+1:]
	found, err := c.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	must(err)
	same(*found.QueueUrl, *url)
	_, err = c.sqs.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{
		QueueUrl: url, Attributes: map[string]string{"DelaySeconds": "3"},
	})
	must(err)
	shown, err := c.sqs.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: url, AttributeNames: []types.QueueAttributeName{"All"},
	})
	must(err)
	same(shown.Attributes["DelaySeconds"]+shown.Attributes["VisibilityTimeout"], "37")

	pages := sqs.NewListQueuesPaginator(c.sqs, &sqs.ListQueuesInput{QueueNamePrefix: &name, MaxResults: aws.Int32(1)})
	urls := []string{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		must(err)
		urls = append(urls, page.QueueUrls...)
	}
	same(urls, []string{*url})

	_, err = c.sqs.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: url, Tags: map[string]string{"a": "1", "b": "2"}})
	must(err)
	_, err = c.sqs.UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: url, TagKeys: []string{"a"}})
	must(err)
	tags, err := c.sqs.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: url})
	must(err)
	same(tags.Tags, map[string]string{"b": "2"})
}

func thereAndBack(c *clients) {
	url := c.queue(nil)
	raw := make([]byte, 256)
	for i := range raw {
		raw[i] = byte(i)
	}
	body := "tab\tline\nreturn\r <&> \"quoted\" 🐦"
	sent, err := c.sqs.SendMessage(ctx, &sqs.SendMessageInput{
		QueueUrl: url, MessageBody: &body,
		MessageAttributes: map[string]types.MessageAttributeValue{
			"city":  {DataType: aws.String("String"), StringValue: aws.String("größe 鳩")},
			"count": {DataType: aws.String("Number.int"), StringValue: aws.String("7")},
			"raw":   {DataType: aws.String("Binary"), BinaryValue: raw},
		},
	})
	must(err)
	message := c.receive(url, 1, 5)[0]
	same(*message.MessageId, *sent.MessageId)
	same(*message.Body, body)
	same(*message.MD5OfMessageAttributes, *sent.MD5OfMessageAttributes)
	same(*message.MessageAttributes["city"].StringValue, "größe 鳩")
	same(*message.MessageAttributes["count"].DataType, "Number.int")
	same(bytes.Equal(message.MessageAttributes["raw"].BinaryValue, raw), true)
	c.remove(url, message)
	same(len(c.receive(url, 1, 0)), 0)
}

func batches(c *clients) {
	url := c.queue(map[string]string{"MaximumMessageSize": "1024"})
	large := strings.Repeat("a", 1025)
	answer, err := c.sqs.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{
		QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
			{Id: aws.String("small"), MessageBody: aws.String("a")},
			{Id: aws.String("large"), MessageBody: &large},
		},
	})
	must(err)
	same(len(answer.Successful), 1)
	same(*answer.Failed[0].Id+" "+*answer.Failed[0].Code, "large InvalidParameterValue")
	received := c.receive(url, 10, 5)
	deleted, err := c.sqs.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{
		QueueUrl: url, Entries: []types.DeleteMessageBatchRequestEntry{
			{Id: aws.String("ok"), ReceiptHandle: received[0].ReceiptHandle},
			{Id: aws.String("bad"), ReceiptHandle: aws.String("made-up")},
		},
	})
	must(err)
	same(*deleted.Successful[0].Id, "ok")
	same(*deleted.Failed[0].Id+" "+*deleted.Failed[0].Code, "bad ReceiptHandleIsInvalid")
}

func typedErrors(c *clients) {
	_, err := c.sqs.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(unique())})
	var unknown *types.QueueDoesNotExist
	same(errors.As(err, &unknown), true)

	url := c.queue(map[string]string{"DelaySeconds": "1"})
	name := (*url)[strings.LastIndex(*url, "/")+1:]
	_, err = c.sqs.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName: &name, Attributes: map[string]string{"DelaySeconds": "2"},
	})
	var exists *types.QueueNameExists
	same(errors.As(err, &exists), true)

	_, err = c.sqs.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: aws.String("made-up")})
	var invalid *types.ReceiptHandleIsInvalid
	same(errors.As(err, &invalid), true)

	_, err = c.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("")})
	var other smithy.APIError
	same(errors.As(err, &other), true)
	same(other.ErrorCode(), "MissingParameter")
}

func longPolls(c *clients) {
	url := c.queue(map[string]string{"VisibilityTimeout": "600"})
	answered := make(chan string)
	go func() { answered <- c.bodies(url, 20) }()
	time.Sleep(300 * time.Millisecond) // for the poll to begin
	start := time.Now()
	c.send(url, "awaited")
	same(<-answered, "awaited")
	same(time.Since(start) < 10*time.Second, true)

	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err := c.sqs.ReceiveMessage(short, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
	same(err != nil, true)
	c.send(url, "kept")
	same(c.bodies(url, 5), "kept")
	same(len(c.receive(url, 1, 0)), 0)
}

func visibility(c *clients) {
	url := c.queue(nil)
	c.send(url, "m")
	message := c.receive(url, 1, 5)[0]
	same(len(c.receive(url, 1, 0)), 0)
	c.show(url, message)
	same(c.receive(url, 1, 5)[0].Attributes["ApproximateReceiveCount"], "2")
}

func fifo(c *clients) {
	url := c.queue(map[string]string{"FifoQueue": "true", "ContentBasedDeduplication": "true"})
	sent := []*sqs.SendMessageOutput{}
	for _, body := range []string{"a", "b", "b", "c"} {
		one, err := c.sqs.SendMessage(ctx, &sqs.SendMessageInput{
			QueueUrl: url, MessageBody: aws.String(body), MessageGroupId: aws.String("g"),
		})
		must(err)
		sent = append(sent, one)
	}
	same(*sent[1].MessageId, *sent[2].MessageId)
	same(*sent[0].SequenceNumber < *sent[1].SequenceNumber, true)
	for _, body := range []string{"a", "b", "c"} {
		message := c.receive(url, 1, 5)[0]
		same(*message.Body, body)
		same(len(c.receive(url, 1, 0)), 0)
		c.remove(url, message)
	}
}

func deadLetters(c *clients) {
	dead := c.queue(nil)
	policy := `{"deadLetterTargetArn":"` + c.arn(dead) + `","maxReceiveCount":1}`
	url := c.queue(map[string]string{"RedrivePolicy": policy, "VisibilityTimeout": "0"})
	sent := c.send(url, "m")
	same(c.bodies(url, 5), "m")
	same(len(c.receive(url, 1, 0)), 0)
	same(*c.receive(dead, 1, 5)[0].MessageId, *sent.MessageId)
}

func purge(c *clients) {
	url := c.queue(nil)
	c.send(url, "before")
	_, err := c.sqs.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: url})
	must(err)
	c.send(url, "after")
	same(c.bodies(url, 5), "after")
}
